"""The ground floor: time, ids, countries, phone numbers and the public errors. Knows nobody."""
