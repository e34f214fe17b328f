"""WaveSpeed AI, API version 3, as its documentation and its own SDK describe it."""
