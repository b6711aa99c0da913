"""From a YAML file to a session: images registered, features extracted, existing labels imported."""
