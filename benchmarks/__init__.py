"""Speed and memory, both sides of every comparison measured in one run; `make bench` prints the tables."""
