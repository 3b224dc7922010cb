"""Many runs, each in a process of its own: published tables, comparisons, searches."""
