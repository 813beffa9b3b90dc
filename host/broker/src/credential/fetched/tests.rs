//! Tests of fetched tokens, with a clock that stands still unless it is moved.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderMap;
use zeroize::Zeroizing;

use super::*;
use crate::tokens::Tokens;

/// Gives `minted-1`, `minted-2` and so on.
#[derive(Default)]
struct Mint {
    given: AtomicU64,
    /// Seconds that a fetch takes, and that a token lives; no life is told where it is 0.
    takes: AtomicU64,
    life: AtomicU64,
    is_down: AtomicBool,
    /// What stands at the source that buys a token.
    secret: Mutex<&'static str>,
}

#[async_trait]
impl Issuer for Mint {
    fn origin(&self) -> &'static str {
        "https://login.example"
    }

    async fn means(&self) -> Result<Means, Error> {
        let secret = SecretString::from(*self.secret.lock().unwrap());
        let forms = vec![Arc::new(Forms::of(secret.expose_secret().as_bytes()))];
        Ok(Means { prints: vec![("secret", kept::print(&secret))], forms })
    }

    async fn fetch(&self, _: &Errand<'_>) -> Result<Token, Error> {
        tokio::time::sleep(Duration::from_secs(self.takes.load(Ordering::SeqCst))).await;
        let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Error::Timeout { origin: self.origin().to_owned() });
        }
        let life = self.life.load(Ordering::SeqCst);
        let life = (life > 0).then(|| Duration::from_secs(life));
        Ok(Token { text: SecretString::from(format!("minted-{number}")), life })
    }

    async fn is_newer(&self) -> Result<bool, Error> {
        Ok(false)
    }
}

/// What is kept between processes.
#[derive(Default)]
struct Shelf(Mutex<Option<Vec<u8>>>);

impl Tokens for Shelf {
    fn load(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, forge_core::provider::Failure> {
        Ok(self.0.lock().unwrap().clone().map(Zeroizing::new))
    }

    fn is_ready(&self) -> Result<(), forge_core::provider::Failure> {
        Ok(())
    }

    fn save(&self, _: &str, entry: &[u8]) {
        *self.0.lock().unwrap() = Some(entry.to_vec());
    }

    fn turn(&self) -> Option<Turn> {
        Some(Box::new(()))
    }
}

fn mint(life: u64) -> Arc<Mint> {
    Arc::new(Mint { life: AtomicU64::new(life), secret: Mutex::new("secret-canary"), ..Mint::default() })
}

fn fetched(mint: &Arc<Mint>, shelf: Option<&Arc<Shelf>>) -> Fetched {
    let grant = crate::request::tests::grant(&["https://a.example"]);
    let tokens = shelf.map(|shelf| GrantTokens::new(Arc::clone(shelf) as Arc<dyn Tokens>, &grant));
    Fetched::new("oauth2-client", Arc::clone(mint) as Arc<dyn Issuer>, tokens, Logins::default())
}

fn errand() -> Errand<'static> {
    Errand { deadline: Instant::now() + Duration::from_secs(20), records: None }
}

fn header(injection: &Injection) -> String {
    injection.headers.iter().map(|(_, value)| value.to_str().unwrap().to_owned()).collect()
}

async fn used(token: &Fetched) -> String {
    header(&token.inject(&errand()).await.unwrap())
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn asked(mint: &Mint) -> u64 {
    mint.given.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn many_calls_wait_for_one_fetch() {
    let mint = mint(3600);
    mint.takes.store(2, Ordering::SeqCst);
    let token = fetched(&mint, None);
    let (a, b, c) = tokio::join!(used(&token), used(&token), used(&token));
    assert_eq!([a, b, c], ["Bearer minted-1"; 3]);
    assert_eq!(asked(&mint), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_a_fetch_that_fails_fail_with_it_and_a_later_call_tries_anew() {
    let mint = mint(3600);
    mint.takes.store(2, Ordering::SeqCst);
    mint.is_down.store(true, Ordering::SeqCst);
    let token = fetched(&mint, None);
    let waiting = errand();
    let (a, b, c) = tokio::join!(token.inject(&waiting), token.inject(&waiting), token.newer_than(0, &waiting));
    assert!(matches!((a, b), (Err(Error::Timeout { .. }), Err(Error::Timeout { .. }))));
    assert!(matches!(c, Err(Error::Timeout { .. })));
    assert_eq!(asked(&mint), 1);
    mint.is_down.store(false, Ordering::SeqCst);
    assert_eq!(used(&token).await, "Bearer minted-2");
    // An old failure is nobody's who comes after it, also where the token is refused.
    let refused = token.current(&errand()).await.unwrap().0.number;
    assert_eq!(token.newer_than(refused, &errand()).await.unwrap().text.expose_secret(), "minted-3");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_anew_at_two_thirds_of_its_life() {
    let mint = mint(3600);
    let token = fetched(&mint, None);
    assert_eq!(used(&token).await, "Bearer minted-1");
    pass(2399).await;
    assert_eq!(used(&token).await, "Bearer minted-1");
    pass(1).await;
    assert_eq!(used(&token).await, "Bearer minted-2");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_while_it_lives_although_no_newer_one_can_be_had() {
    let mint = mint(3600);
    let token = fetched(&mint, None);
    used(&token).await;
    mint.is_down.store(true, Ordering::SeqCst);
    pass(2400).await;
    for _ in 0..5 {
        assert_eq!(used(&token).await, "Bearer minted-1");
    }
    // One attempt in half a minute, however many calls there are.
    assert_eq!(asked(&mint), 2);
    pass(30).await;
    assert_eq!(used(&token).await, "Bearer minted-1");
    assert_eq!(asked(&mint), 3);
    pass(1200).await;
    assert!(matches!(token.inject(&errand()).await, Err(Error::Timeout { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_to_give_a_newer_token_holds_no_call_up_for_long() {
    let mint = mint(3600);
    let token = fetched(&mint, None);
    used(&token).await;
    mint.takes.store(10, Ordering::SeqCst);
    pass(2400).await;
    let begun = Instant::now();
    assert_eq!(used(&token).await, "Bearer minted-1");
    assert_eq!(begun.elapsed(), PATIENCE);
    // The others don't wait at all, and what was begun is finished.
    assert_eq!(used(&token).await, "Bearer minted-1");
    assert_eq!(begun.elapsed(), PATIENCE);
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(used(&token).await, "Bearer minted-2");
    assert_eq!(asked(&mint), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_ends_although_whoever_wanted_it_has_left() {
    let mint = mint(3600);
    mint.takes.store(5, Ordering::SeqCst);
    let token = fetched(&mint, None);
    assert!(tokio::time::timeout(Duration::from_secs(1), token.inject(&errand())).await.is_err());
    token.logins.finished().await;
    assert_eq!((used(&token).await.as_str(), asked(&mint)), ("Bearer minted-1", 1));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_not_accepted_is_fetched_once_more_and_a_denial_fetches_nothing() {
    let mint = mint(3600);
    let token = fetched(&mint, None);
    let first = token.inject(&errand()).await.unwrap();
    assert!(first.is_fresh);
    assert!(token.renew(&first, 401, &errand()).await.unwrap().is_none());
    let (one, other) = (token.inject(&errand()).await.unwrap(), token.inject(&errand()).await.unwrap());
    assert!(token.renew(&one, 403, &errand()).await.unwrap().is_none());
    let newer = token.renew(&one, 401, &errand()).await.unwrap().unwrap();
    assert_eq!((header(&newer).as_str(), newer.is_fresh), ("Bearer minted-2", true));
    // The other call was refused with the same token, and gets the one that is there by now.
    assert_eq!(header(&token.renew(&other, 401, &errand()).await.unwrap().unwrap()), "Bearer minted-2");
    assert_eq!(asked(&mint), 2);
    let answer = |status| Answer { status, headers: HeaderMap::new(), body: Zeroizing::default() };
    assert!(token.doubt("https://a.example", &answer(403)).is_none());
    assert!(matches!(token.doubt("https://a.example", &answer(401)), Some(Error::TokenRefused { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_for_the_next_process_while_the_same_secret_stands_at_its_source() {
    let (mint, shelf) = (mint(3600), Arc::default());
    used(&fetched(&mint, Some(&shelf))).await;
    let next = fetched(&mint, Some(&shelf));
    let injection = next.inject(&errand()).await.unwrap();
    assert_eq!((header(&injection).as_str(), injection.is_fresh), ("Bearer minted-1", false));
    // What another process kept may have been revoked.
    assert_eq!(header(&next.renew(&injection, 401, &errand()).await.unwrap().unwrap()), "Bearer minted-2");
    assert_eq!(used(&fetched(&mint, Some(&shelf))).await, "Bearer minted-2");
    *mint.secret.lock().unwrap() = "another-secret";
    assert_eq!(used(&fetched(&mint, Some(&shelf))).await, "Bearer minted-3");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_not_kept_as_what_a_secret_bought_that_came_after_it() {
    let (mint, shelf) = (mint(3600), Arc::default());
    mint.takes.store(2, Ordering::SeqCst);
    let token = fetched(&mint, Some(&shelf));
    let replaced = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        *mint.secret.lock().unwrap() = "another-secret";
    };
    let (first, ()) = tokio::join!(used(&token), replaced);
    assert_eq!(first, "Bearer minted-1");
    // The next process logs in with the secret that is there, and what that bought is kept.
    assert_eq!(used(&fetched(&mint, Some(&shelf))).await, "Bearer minted-2");
    assert_eq!(used(&fetched(&mint, Some(&shelf))).await, "Bearer minted-2");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_searched_for_the_token_and_for_what_bought_it() {
    let injection = fetched(&mint(0), None).inject(&errand()).await.unwrap();
    for secret in ["minted-1", "secret-canary"] {
        let text = format!("x {secret} y");
        assert!(injection.secrets.iter().any(|forms| forms.found_in(text.as_bytes())), "{secret}");
    }
    let value = injection.headers.first().map(|(_, value)| value.clone()).unwrap();
    assert!(value.is_sensitive() && !format!("{value:?}").contains("token"));
}
