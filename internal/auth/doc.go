// Package auth says who asks and what they may do. It knows neither HTTP nor the
// store: the server reads credentials out of requests, and this package decides
// whose they are.
package auth
