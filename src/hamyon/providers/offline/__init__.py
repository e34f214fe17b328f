"""Pictures made on this machine: no key, no network, the same picture for the same request."""
