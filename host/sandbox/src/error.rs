//! What can go wrong with a plugin before it is called.

use forge_core::Kind;

/// Why a component is refused, or a plugin can't be found or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too long to be a plugin.
    #[error("the component is longer than {} MiB", LONGEST_COMPONENT >> 20)]
    TooLong,
    /// Not WebAssembly, or text.
    #[error("the file is not a WebAssembly component: {0}")]
    NotAComponent(&'static str),
    /// A file that holds machine code already.
    #[error("the file is precompiled: a plugin is compiled here, from a component that was checked")]
    Precompiled,
    /// Truncated, damaged, or against the rules of the format.
    #[error("the component is damaged or invalid at byte {offset}")]
    Invalid {
        /// Where the first fault was found.
        offset: u64,
    },
    /// It has the right form, and the engine refuses it all the same.
    #[error("the component can't be compiled")]
    Uncompilable,
    /// Compiling it used up a limit.
    #[error("compiling the component took more time or memory than any plugin may need")]
    CompileLimit,
    /// The child that compiles can't be started or waited for.
    #[error("can't start the compiler: {0}")]
    Compiler(String),
    /// Imports something that plugins don't have.
    #[error("the component imports `{import}`: {rule}")]
    ForbiddenImport {
        /// The import.
        import: String,
        /// Why it is refused and what to do.
        rule: &'static str,
    },
    /// Made for another version of the contract.
    #[error(
        "the component is made for `{found}`, and this forge supports `forge:plugin@{}`",
        crate::component::CONTRACT
    )]
    Contract {
        /// The interface with its version.
        found: String,
    },
    /// Exports nothing that forge could ask.
    #[error("the component does not export `forge:plugin/secret-provider@{}`", crate::component::CONTRACT)]
    NoProvider,
    /// No manifest, or several.
    #[error("the component must have one custom section `forge:manifest`, and has {0}")]
    ManifestCount(usize),
    /// The manifest breaks a rule.
    #[error(transparent)]
    Manifest(#[from] forge_core::manifest::Error),
    /// The manifest asks for something that no credential kind allows.
    #[error(transparent)]
    Broker(#[from] forge_broker::Error),
    /// It imports an interface that its grant does not hold.
    #[error("plugin `{plugin}` imports `{import}`, which its grant does not hold")]
    ImportNotGranted {
        /// The plugin's id.
        plugin: String,
        /// The interface.
        import: String,
    },
    /// It asks for more memory than any plugin may have.
    #[error("plugin `{plugin}` asks for {what}, and the most is {most}")]
    Limit {
        /// The plugin's id.
        plugin: String,
        /// What it asks for.
        what: String,
        /// The ceiling.
        most: String,
    },
    /// There is no plugin of this name.
    #[error("there is no plugin `{0}`")]
    Unknown(String),
    /// A name that is taken by another plugin.
    #[error("{0}")]
    Taken(String),
    /// A stored file is not what its name says.
    #[error("the stored plugin {digest} was changed: its SHA-256 is {found}")]
    Digest {
        /// What it should be.
        digest: String,
        /// What it is.
        found: String,
    },
    /// A stored record can't be read.
    #[error("the record of plugin `{0}` is damaged")]
    Record(String),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] forge_core::home::Error),
    /// The engine failed.
    #[error("the engine can't be started")]
    Engine,
}

/// The longest component, in bytes: JavaScript and Python guests have 12 to 18 MB.
pub const LONGEST_COMPONENT: u64 = 64 << 20;

impl Error {
    /// The kind of this failure.
    pub fn kind(&self) -> Kind {
        match self {
            Self::TooLong
            | Self::NotAComponent(_)
            | Self::Precompiled
            | Self::Invalid { .. }
            | Self::Uncompilable
            | Self::CompileLimit
            | Self::Contract { .. }
            | Self::NoProvider
            | Self::ManifestCount(_)
            | Self::Manifest(_)
            | Self::Limit { .. } => Kind::InvalidRequest,
            Self::ForbiddenImport { .. } | Self::ImportNotGranted { .. } => Kind::NotGranted,
            Self::Broker(error) => error.kind(),
            Self::Unknown(_) => Kind::NotFound,
            Self::Taken(_) => Kind::Conflict,
            Self::Digest { .. } | Self::Record(_) => Kind::Integrity,
            Self::File(_) | Self::Compiler(_) | Self::Engine => Kind::Internal,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotAComponent(_) => {
                "build it as `sdk/README.md` says, for `wasm32-unknown-unknown` with `wasm-component-ld` as the linker"
            }
            Self::Precompiled => "install the component that it was made from",
            Self::Contract { .. } => "build the plugin with an SDK of a supported version, or use another forge",
            Self::ManifestCount(0) => "the SDK's `plugin!` macro embeds `plugin.toml`",
            Self::Unknown(_) => "`forge plugin list` shows what is installed",
            Self::Digest { .. } => "`forge plugin remove` it and install it again from a file you trust",
            Self::Broker(error) => return error.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<Error> for forge_core::provider::Failure {
    fn from(error: Error) -> Self {
        Self { hint: error.hint(), ..Self::new(error.kind(), error.to_string()) }
    }
}
