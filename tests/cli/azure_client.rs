//! The Key Vault of the tests, held to Azure's own Python clients: one that they did not work with would prove nothing.

use forge_tests::servers::azure::{Azure, CLIENT, EXPIRED, SECRET, TENANT};
use serde_json::json;

#[test]
fn azures_own_clients_work_with_the_vault_of_the_tests() {
    let azure = Azure::start();
    let told = azure.client(
        r#"
vault = client()
day = datetime.datetime(2040, 1, 2, tzinfo=datetime.timezone.utc)
first = vault.set_secret("app-db", "one", content_type="text/plain", tags={"team": "web"}, expires_on=day).properties
vault.set_secret("app-db", "two")
old = vault.get_secret("app-db", first.version)
for number in range(30):
    vault.set_secret(f"many-{number}", "x")
listed = [one.name for one in vault.list_properties_of_secrets(max_page_size=7)]
versions = list(vault.list_properties_of_secret_versions("app-db"))
vault.update_secret_properties("app-db", first.version, enabled=False)
def refused(call):
    try:
        call()
    except HttpResponseError as error:
        return [error.status_code, error.error.code, (error.error.innererror or {}).get("code")]
states = [refused(lambda: vault.get_secret("app-db", first.version))]
deleted = vault.begin_delete_secret("app-db").result()
states.append(refused(lambda: vault.set_secret("app-db", "three")))
states.append(refused(lambda: vault.get_secret("app-db")))
vault.begin_recover_deleted_secret("app-db").wait()
recovered = vault.get_secret("app-db").value
vault.begin_delete_secret("app-db").wait()
gone = [one.name for one in vault.list_deleted_secrets()]
vault.purge_deleted_secret("app-db")
states.append(refused(lambda: vault.get_deleted_secret("app-db")))
states.append(refused(lambda: vault.set_secret("a_b", "x")))
states.append(refused(lambda: vault.set_secret("long", "x" * 25601)))
vault.set_secret("long", "x" * 25600)
by_certificate = client(CertificateCredential(tenant, application, pem, **own)).get_secret("many-1").value
answer([old.value, old.properties.tags, str(old.properties.expires_on), len(listed), len(versions), recovered, gone,
        (deleted.scheduled_purge_date - deleted.deleted_date).days, by_certificate, states])
"#,
    );
    let states = json!([
        [403, "Forbidden", "SecretDisabled"],
        [409, "Conflict", "ObjectIsDeletedButRecoverable"],
        [404, "SecretNotFound", null],
        [404, "SecretNotFound", null],
        [400, "BadParameter", null],
        [400, "BadParameter", null],
    ]);
    let tags = json!({ "team": "web" });
    let expected = json!(["one", tags, "2040-01-02 00:00:00+00:00", 31, 2, "two", ["app-db"], 90, "x", states]);
    assert_eq!(told, expected);
}

#[test]
fn the_vault_of_the_tests_answers_nobody_without_a_token_for_it() {
    let azure = Azure::start();
    let secret = "secrets/a?api-version=7.4";
    let answered = azure.curl("GET", secret).send();
    assert_eq!(answered.has_status(401).json()["error"]["code"], "Unauthorized");
    azure.curl("GET", secret).header("authorization", "Bearer made.up.token").send().has_status(401);
    let form = |client: &str, secret: &str, resource: &str| {
        format!("grant_type=client_credentials&client_id={client}&client_secret={secret}&scope={resource}/.default")
    };
    let secret_of = SECRET.replace('+', "%2B");
    let token = |resource: &str| {
        let answer = azure.token(TENANT, &form(CLIENT, &secret_of, resource));
        answer.has_status(200).json()["access_token"].as_str().unwrap().to_owned()
    };
    let with = |token: &str| azure.curl("GET", secret).header("authorization", &format!("Bearer {token}")).send();
    with(&token("https://vault.azure.cn")).has_status(401);
    let good = token("https://vault.azure.net");
    with(&good).has_status(404);
    azure.forget_tokens();
    with(&good).has_status(401);
    let resource = "https://vault.azure.net";
    for (tenant, form, status, code) in [
        ("22222222-2222-3333-4444-555555555555", form(CLIENT, &secret_of, resource), 400, 90_002),
        (TENANT, form("unknown", &secret_of, resource), 400, 700_016),
        (TENANT, form(CLIENT, "wrong", resource), 401, 7_000_215),
        (TENANT, form(CLIENT, EXPIRED, resource), 401, 7_000_222),
        (TENANT, form(CLIENT, &secret_of, "https://graph.example"), 400, 500_011),
        (TENANT, form(CLIENT, &secret_of, resource).replace("client_credentials", "password"), 400, 70_003),
    ] {
        let answer = azure.token(tenant, &form);
        assert_eq!(answer.has_status(status).json()["error_codes"], json!([code]));
    }
}
