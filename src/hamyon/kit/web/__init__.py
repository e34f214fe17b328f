"""The HTTP edge: who may call what, limits, bodies, errors as problem+json. Knows no business."""
