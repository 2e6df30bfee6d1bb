DROP TABLE filing_batch_rows, filing_batches;
