package config

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/avapd/avapd/internal/vault"
)

// vaultGroup begins the names of the settings that say where Vault is.
const vaultGroup = "vault."

// openVault reads the secrets that settings only refer to. It asks the server once
// for all of them, and leaves those empty that it does not get.
func (s *Settings) openVault() Faults {
	var wanted []Key
	for _, k := range table {
		if k.Secret && !strings.HasPrefix(k.Name, vaultGroup) && vault.IsReference(s.values[k.Name]) {
			wanted = append(wanted, k)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	var faults Faults
	client, timeout, err := s.vaultClient()
	fail := func(k Key, problem string) {
		faults = append(faults, Fault{k.Name, s.Origin(k.Name), problem})
		s.values[k.Name] = ""
	}
	if err != nil {
		for _, k := range wanted {
			fail(k, err.Error())
		}
		return faults
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), milliseconds(timeout))
	defer cancel()
	for _, k := range wanted {
		reference, err := vault.ParseReference(s.values[k.Name])
		if err != nil {
			fail(k, err.Error())
			continue
		}
		secret, err := client.Text(ctx, reference)
		if err == nil {
			secret, err = oneLine(secret)
		}
		if err == nil && k.check != nil {
			err = k.check(secret)
		}
		if err != nil {
			// The reference stands last: what follows words like token is masked in logs.
			fail(k, fmt.Sprintf("%v (%s)", err, reference))
			continue
		}
		s.values[k.Name] = secret
		s.origins[k.Name] = origin{s.origins[k.Name].layer, reference.String() + " by " + s.Origin(k.Name)}
	}
	return faults
}

// vaultClient makes a client of the settings, if nothing is wrong with them.
func (s *Settings) vaultClient() (*vault.Client, int64, error) {
	c := new(Config)
	wrong := false
	for _, k := range table {
		if strings.HasPrefix(k.Name, vaultGroup) && k.store(c, s.values[k.Name]) != nil {
			wrong = true // and is told with the others
		}
	}
	c.checkVault(func(string, string, ...any) { wrong = true })
	switch {
	case wrong:
		return nil, 0, errors.New("is in Vault, and the settings of vault are wrong")
	case c.Vault.Address == "":
		return nil, 0, errors.New("is in Vault, and vault.address does not say where that is")
	}
	client, err := vault.Open(vault.Options{
		Address: c.Vault.Address, Namespace: c.Vault.Namespace, CAFile: c.Vault.CAFile,
		Method: c.Vault.Auth, Mount: c.Vault.AuthMount, Role: c.Vault.Role,
		Secret: map[string]string{vault.Token: c.Vault.Token, vault.AppRole: c.Vault.SecretID, vault.Kubernetes: c.Vault.JWT}[c.Vault.Auth],
	})
	if err != nil {
		return nil, 0, errors.New("is in Vault: " + err.Error())
	}
	return client, c.Vault.TimeoutMS, nil
}

// checkVault finds what the way to log in lacks.
func (c *Config) checkVault(add func(key, format string, args ...any)) {
	if c.Vault.Address == "" {
		return
	}
	switch c.Vault.Auth {
	case vault.Token:
		if c.Vault.Token == "" {
			add("vault.token", "is needed with vault.auth=token; set %sVAULT_TOKEN_FILE to a file that holds it", EnvPrefix)
		}
	case vault.Kubernetes:
		if c.Vault.JWT == "" {
			add("vault.jwt", "is needed with vault.auth=kubernetes; set %sVAULT_JWT_FILE to the file of the service account's token", EnvPrefix)
		}
		fallthrough
	case vault.AppRole:
		if c.Vault.Role == "" {
			add("vault.role", "is needed with vault.auth=%s", c.Vault.Auth)
		}
	}
}

// checkVaultSecret refuses what would have to be known to be asked for.
func checkVaultSecret(text string) error {
	if vault.IsReference(text) {
		return errors.New("cannot be in Vault itself")
	}
	return nil
}
