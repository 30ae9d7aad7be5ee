"""One file for each promise of docs/performance.md."""
