// An OAuth 2 server (npm's oidc-provider) with two clients, one for each place of a secret; it knows nothing of forge.
import path from "node:path";

const [, , port, modules] = process.argv;
const { default: Provider } = await import(path.join(modules, "oidc-provider/lib/index.js"));

const client = (client_id, token_endpoint_auth_method) => ({
  client_id,
  client_secret: process.env.CLIENT_SECRET,
  token_endpoint_auth_method,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  scope: "read",
});

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client("app in:header", "client_secret_basic"), client("app-in-body", "client_secret_post")],
  scopes: ["read", "write"],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
  },
  ttl: { ClientCredentials: 600 },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
