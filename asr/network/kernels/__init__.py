"""Recurrent layers for CPUs: a matrix product and a compiled kernel for each step, with a gradient by hand."""
