// A certified OpenID provider for tests: accounts and their claims from a file that may change, PKCE needed of everybody.
// node openid_provider.mjs FOLDER_OF_MODULES PORT CLIENT REDIRECT ACCOUNTS.json
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, port, client, redirect, accounts] = process.argv.slice(2);
const { default: Provider } = await import(
  pathToFileURL(createRequire(`${modules}/`).resolve('oidc-provider')).href
);
const issuer = `http://localhost:${port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: client, redirect_uris: [redirect], post_logout_redirect_uris: [redirect],
    token_endpoint_auth_method: 'none', grant_types: ['authorization_code'], response_types: ['code'],
  }],
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
  conformIdTokenClaims: false,   // in the ID token, as those of schools are set up
  pkce: { required: () => true },
  ttl: { IdToken: 600 },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, preferred_username: sub, ...JSON.parse(readFileSync(accounts, 'utf8'))[sub] }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
process.stdin.on('end', () => process.exit()).resume();   // until the tests are gone, however they ended
