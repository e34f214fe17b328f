"""WaveSpeed (API v3): pictures by seedream and nano-banana. The protocol is in its documentation;
what it does not document is handled as the less harmful of two readings."""
