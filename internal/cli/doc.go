// Package cli is the command line of avap: what the commands are called, what
// they print, and with which code they end.
//
// Exit codes are stable:
//
//	0  success
//	1  the script does not compile, or fails
//	2  the command line, a file or the configuration is wrong
//	3  the script was stopped by a limit
//	4  a defect of avap itself
//
// Answers go to standard output, everything about them to standard error.
package cli
