"""Tables, engine and queries: the only channel between Fewclick's processes."""
