//! The macro that makes a component of a plugin.

/// Exports the abilities of a plugin and embeds its manifest.
///
/// `manifest` is the path of `plugin.toml`, from the file that this stands in.
/// `abilities` are any of `provider`, `batch`, `metadata`, `writer`, `removal`, `history`, `rotation`, `keys`;
/// the type implements the trait of each.
/// The manifest becomes the custom section `forge:manifest` of the component, so the host reads what a plugin
/// asks for before any of its code runs.
///
/// ```text
/// forge_sdk::plugin! { manifest: "../plugin.toml", type: Example, abilities: [provider, writer] }
/// ```
#[macro_export]
macro_rules! plugin {
    (manifest: $manifest:literal, type: $plugin:ty, abilities: [$($ability:ident),+ $(,)?] $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "exported functions and sections carry names that the linker must not meet twice")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "forge:manifest")]
            static MANIFEST: [u8; include_bytes!($manifest).len()] = *include_bytes!($manifest);

            type Exported = $crate::boundary::Exported<$plugin>;
            $($crate::__export_ability!($ability);)+
        };

        // Elsewhere than in a component the same text is checked and nothing is exported.
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const _: &[u8] = include_bytes!($manifest);
            $($crate::__check_ability!($ability, $plugin);)+
        };
    };
}

/// Exports one ability of the type `Exported`, which `plugin!` has named.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_ability {
    (provider) => { $crate::bindings::provider::export!(Exported with_types_in $crate::bindings::provider); };
    (batch) => { $crate::bindings::batch::export!(Exported with_types_in $crate::bindings::batch); };
    (metadata) => { $crate::bindings::metadata::export!(Exported with_types_in $crate::bindings::metadata); };
    (writer) => { $crate::bindings::writer::export!(Exported with_types_in $crate::bindings::writer); };
    (removal) => { $crate::bindings::removal::export!(Exported with_types_in $crate::bindings::removal); };
    (history) => { $crate::bindings::history::export!(Exported with_types_in $crate::bindings::history); };
    (rotation) => { $crate::bindings::rotation::export!(Exported with_types_in $crate::bindings::rotation); };
    (keys) => { $crate::bindings::keys::export!(Exported with_types_in $crate::bindings::keys); };
}

/// Compiles only where the type has the ability.
#[doc(hidden)]
#[macro_export]
macro_rules! __check_ability {
    (provider, $plugin:ty) => { $crate::__check_ability!(@ SecretProvider, $plugin); };
    (batch, $plugin:ty) => { $crate::__check_ability!(@ SecretBatch, $plugin); };
    (metadata, $plugin:ty) => { $crate::__check_ability!(@ SecretMetadata, $plugin); };
    (writer, $plugin:ty) => { $crate::__check_ability!(@ SecretWriter, $plugin); };
    (removal, $plugin:ty) => { $crate::__check_ability!(@ SecretRemoval, $plugin); };
    (history, $plugin:ty) => { $crate::__check_ability!(@ SecretHistory, $plugin); };
    (rotation, $plugin:ty) => { $crate::__check_ability!(@ SecretRotation, $plugin); };
    (keys, $plugin:ty) => { $crate::__check_ability!(@ KeyProvider, $plugin); };
    (@ $trait:ident, $plugin:ty) => {
        const _: () = {
            const fn has<P: $crate::$trait>() {}
            has::<$plugin>();
        };
    };
}
