"""IMAP: the dialog with a server and its sign-in, the grammar of what it says, its
folders and up to where each was read, and reading a mailbox without leaving a trace."""
