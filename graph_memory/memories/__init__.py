"""The memories: one file each, all of the shape that `base.Memory` draws."""
