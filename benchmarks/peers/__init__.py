"""Servers to compare with, each as somebody would write it in ten minutes. They read BENCH_MODEL, a folder."""
