//! The desktop's keyring: the Secret Service API of freedesktop.org, which GNOME, KDE and KeePassXC speak.
//!
//! The source of each fact is the Secret Service API Draft 0.2. The session is `plain`: the bus is a socket of this user,
//! and whoever could listen on it as this user could ask the keyring as well.

use std::time::Duration;

use forge_core::keyring::Trouble;
use forge_core::sealing::SealingKey;

use super::bus::{Bus, Message, Method, Socket};
use super::wire::Writer;

const SERVICE: &str = "org.freedesktop.secrets";
const OBJECT: &str = "/org/freedesktop/secrets";

/// The object that stands for none.
const NONE: &str = "/";

/// What items of forge have in common; the other attribute is the key's id.
const APPLICATION: (&str, &str) = ("application", "forge");

/// How long a person may take over a question.
const THINKING: Duration = Duration::from_secs(120);

/// A session with the keyring.
#[derive(Debug)]
pub(super) struct SecretService {
    bus: Bus,
    session: String,
    /// Whether somebody is there whom the keyring may ask.
    may_ask: bool,
    patience: Duration,
}

fn method<'a>(path: &'a str, interface: &'a str, name: &'a str) -> Method<'a> {
    Method { destination: SERVICE, path, interface, name }
}

impl SecretService {
    /// Opens a session over one of these sockets; each of its calls together with this one takes no longer than
    /// `patience`, but for the time in which a person is asked.
    pub(super) fn open(sockets: &[Socket], user: u32, may_ask: bool, patience: Duration) -> Result<Self, Trouble> {
        let mut bus = Bus::open(sockets, user, patience)?;
        let opened = bus.call(method(OBJECT, "org.freedesktop.Secret.Service", "OpenSession"), "sv", |body| {
            body.text("plain");
            body.variant("s", |body| body.text(""));
        })?;
        let mut answer = opened.body("vo")?;
        // A plain session has nothing to agree on, and says so with a text or with no bytes.
        match answer.signature()? {
            "s" => drop(answer.text()?),
            "ay" => drop(answer.blob()?),
            _ => return Err(Trouble::Malformed("a session of another kind")),
        }
        let session = answer.text()?.to_owned();
        Ok(Self { bus, session, may_ask, patience })
    }

    fn service(&mut self, name: &str, signature: &str, write: impl FnOnce(&mut Writer)) -> Result<Message, Trouble> {
        self.on(OBJECT, "org.freedesktop.Secret.Service", name, signature, write)
    }

    fn on(
        &mut self,
        path: &str,
        interface: &str,
        name: &str,
        signature: &str,
        write: impl FnOnce(&mut Writer),
    ) -> Result<Message, Trouble> {
        self.bus.call(method(path, interface, name), signature, write)
    }

    /// The collection that new items go to, if it is there; and whether it is locked.
    fn default_collection(&mut self) -> Result<(String, bool), Trouble> {
        let found = self.service("ReadAlias", "s", |body| body.text("default"))?;
        let collection = found.body("o")?.text()?.to_owned();
        if collection == NONE {
            return Err(Trouble::Unreachable("the keyring has no default collection".to_owned()));
        }
        let locked = self.on(&collection, "org.freedesktop.DBus.Properties", "Get", "ss", |body| {
            body.text("org.freedesktop.Secret.Collection");
            body.text("Locked");
        })?;
        let mut answer = locked.body("v")?;
        if answer.signature()? != "b" {
            return Err(Trouble::Malformed("a lock that is neither open nor shut"));
        }
        let is_locked = answer.boolean()?;
        Ok((collection, is_locked))
    }

    /// Whether a key can be kept without a question.
    pub(super) fn is_ready(&mut self) -> Result<(), Trouble> {
        match self.default_collection()? {
            (_, true) => Err(Trouble::Locked),
            (_, false) => Ok(()),
        }
    }

    /// Unlocks an object, with a question where the keyring has one.
    fn unlock(&mut self, path: &str) -> Result<(), Trouble> {
        if !self.may_ask {
            return Err(Trouble::Locked);
        }
        let unlocked = self.service("Unlock", "ao", |body| body.list(4, |body| body.text(path)))?;
        let mut answer = unlocked.body("aoo")?;
        let opened = answer.paths()?;
        let question = answer.text()?.to_owned();
        if question == NONE {
            return if opened.iter().any(|one| one == path) { Ok(()) } else { Err(Trouble::Locked) };
        }
        self.ask(&question)
    }

    /// Has the keyring ask its question, and waits for the answer.
    fn ask(&mut self, question: &str) -> Result<(), Trouble> {
        if question == NONE {
            return Ok(());
        }
        if !self.may_ask {
            return Err(Trouble::Locked);
        }
        let (destination, path) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");
        let watch = Method { destination, path, interface: destination, name: "AddMatch" };
        self.bus.call(watch, "s", |body| {
            body.text("type='signal',interface='org.freedesktop.Secret.Prompt',member='Completed'");
        })?;
        tracing::warn!("the keyring asks a question of its own");
        self.bus.extend(THINKING);
        self.on(question, "org.freedesktop.Secret.Prompt", "Prompt", "s", |body| body.text(""))?;
        let done = self.bus.signal(question, "Completed")?;
        self.bus.extend(self.patience);
        // What else it says is not needed: whether the object is open now is seen by using it.
        if done.body("bv")?.boolean()? { Err(Trouble::Refused) } else { Ok(()) }
    }

    /// The items of this key: those that are open, and those that are locked.
    fn search(&mut self, id: &str) -> Result<(Vec<String>, Vec<String>), Trouble> {
        let found = self.service("SearchItems", "a{ss}", |body| body.texts(&[APPLICATION, ("key-id", id)]))?;
        let mut answer = found.body("aoao")?;
        Ok((answer.paths()?, answer.paths()?))
    }

    /// The key of this id.
    pub(super) fn find(&mut self, id: &str) -> Result<SealingKey, Trouble> {
        let (mut open, locked) = self.search(id)?;
        if open.is_empty()
            && let Some(first) = locked.first()
        {
            self.unlock(first)?;
            open = self.search(id)?.0;
            if open.is_empty() {
                return Err(Trouble::Refused);
            }
        }
        let item = open.into_iter().next().ok_or(Trouble::Missing)?;
        let session = self.session.clone();
        let got = self.on(&item, "org.freedesktop.Secret.Item", "GetSecret", "o", |body| body.text(&session))?;
        let mut answer = got.body("(oayays)")?;
        let (_, _, bytes) = (answer.text()?, answer.blob()?, answer.blob()?);
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| Trouble::Other)?;
        let key = SealingKey::from_bytes(bytes);
        if key.id() == id { Ok(key) } else { Err(Trouble::Other) }
    }

    /// Keeps a key in the default collection, and reads it back.
    pub(super) fn keep(&mut self, key: &SealingKey) -> Result<(), Trouble> {
        let (collection, is_locked) = self.default_collection()?;
        if is_locked {
            self.unlock(&collection)?;
        }
        let (id, session) = (key.id(), self.session.clone());
        let made =
            self.on(&collection, "org.freedesktop.Secret.Collection", "CreateItem", "a{sv}(oayays)b", |body| {
                body.list(8, |body| {
                    body.align(8);
                    body.text("org.freedesktop.Secret.Item.Label");
                    body.variant("s", |body| body.text(&format!("forge: sealing key {id}")));
                    body.align(8);
                    body.text("org.freedesktop.Secret.Item.Attributes");
                    body.variant("a{ss}", |body| body.texts(&[APPLICATION, ("key-id", &id)]));
                });
                body.align(8);
                body.text(&session);
                body.blob(&[]);
                body.blob(key.expose());
                body.text("application/octet-stream");
                // An item of the same attributes is this very key.
                body.boolean(true);
            })?;
        let mut answer = made.body("oo")?;
        let (_, question) = (answer.text()?, answer.text()?.to_owned());
        self.ask(&question)?;
        self.find(&id).map(drop)
    }

    /// Removes the key of this id.
    pub(super) fn forget(&mut self, id: &str) -> Result<(), Trouble> {
        let (mut open, locked) = self.search(id)?;
        if let Some(first) = locked.first() {
            self.unlock(first)?;
            open = self.search(id)?.0;
        }
        for item in open {
            let removed = self.on(&item, "org.freedesktop.Secret.Item", "Delete", "", |_| ())?;
            let question = removed.body("o")?.text()?.to_owned();
            self.ask(&question)?;
        }
        Ok(())
    }
}
