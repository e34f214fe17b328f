"""All SQL of this slice: ``people``, ``operators`` (roles, acts), ``access`` (keys, sign-in)."""
