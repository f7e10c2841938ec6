"""Files to rows of cells: CSV, Excel, Parquet, JSON. What cells mean is decided elsewhere."""
