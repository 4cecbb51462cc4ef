// Package vault reads secrets from a server with the HTTP API of Vault, which
// OpenBao has as well: text in a field of what the engine KV keeps, of its first
// and its second version.
//
// What it needs of the API: https://developer.hashicorp.com/vault/api-docs,
// with secret/kv/kv-v1, secret/kv/kv-v2, auth/approle and auth/kubernetes below.
// No error holds a secret, or text that the server sent.
package vault
