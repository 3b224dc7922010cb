"""What an experiment is: its settings, where they come from, and what is built from them."""
