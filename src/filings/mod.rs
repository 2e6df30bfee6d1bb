//! Filings: requests to change what is filed.
