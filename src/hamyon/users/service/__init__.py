"""Use cases about people: ``people``, ``operators``, ``service_keys``, ``proofs``, ``sessions``."""
