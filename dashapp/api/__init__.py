"""The REST face: requests into the stores' calls, their answers into JSON. No SQL, no rules of its own."""
