"""Context assembly: counting, allocating, ranking, merging, rendering. Pure: values in, values out."""
