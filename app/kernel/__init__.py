"""Clock, ids, countries, phone numbers and public errors. Imports no other package."""
