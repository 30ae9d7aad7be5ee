"""HTTP for machines: operations as data, one gate in front of all, answers encoded to bytes."""
