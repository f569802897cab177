"""Words in two languages, mails, notices."""
