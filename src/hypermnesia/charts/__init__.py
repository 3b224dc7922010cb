"""Charts that several analyses or parts of the report share, and how all charts look."""
