//! What the environment says of the hub: where it is, where its files are kept, who asks.
//!
//! Sources: `constants.py` in huggingface_hub, whose variables these are; `load` in OpenAI's `clip/clip.py`.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Source: `_MODELS` in OpenAI's `clip/clip.py`, commit d05afc4.
const OPENAI: &str = "https://openaipublic.azureedge.net/clip/models";

/// Where the hub is, and how it is to be used.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    /// Without a slash at the end.
    pub(super) endpoint: String,
    /// The folder of `models--ORGANISATION--NAME`.
    pub(super) cache: PathBuf,
    pub(super) token: Option<Token>,
    /// Whether the network is not to be used.
    pub(super) offline: bool,
    /// Where OpenAI's files are: `/SHA256/FILE` follows.
    pub(super) openai: String,
    /// The folder in which OpenAI's own program keeps them.
    pub(super) openai_cache: PathBuf,
}

/// A secret: it is sent, and never shown.
#[derive(Clone)]
pub(super) struct Token(String);

impl Token {
    /// The header that carries it.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Environment {
    /// What `variable` gives, `std::env::var_os` outside of tests.
    pub(super) fn new(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| given(name)?.into_string().ok();
        let user = given("HOME").or_else(|| given("USERPROFILE"));
        let caches = match &user {
            Some(user) => PathBuf::from(user).join(".cache"),
            None => ".cache".into(),
        };
        // Python expands a leading `~`; shells do, where it is not quoted.
        let path = |name: &str| {
            let value = PathBuf::from(given(name)?);
            match (value.strip_prefix("~"), &user) {
                (Ok(rest), Some(user)) => Some(PathBuf::from(user).join(rest)),
                _ => Some(value),
            }
        };
        let home = path("HF_HOME").unwrap_or_else(|| {
            let caches = path("XDG_CACHE_HOME").unwrap_or_else(|| caches.clone());
            caches.join("huggingface")
        });
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let is_true = |name: &str| {
            let value = text(name).unwrap_or_default().to_uppercase();
            ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
        };
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let token = token.or_else(|| match is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            true => None,
            false => fs_err::read_to_string(token_file).ok(),
        });
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: cache.unwrap_or_else(|| home.join("hub")),
            token: token
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty())
                .map(Token),
            offline: is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"),
            openai: OPENAI.into(),
            openai_cache: caches.join("clip"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_huggingface_hubs() {
        let of = |variables: &[(&str, &str)]| {
            Environment::new(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).into())
            })
        };
        let plain = of(&[("HOME", "/me")]);
        assert_eq!(plain.cache, PathBuf::from("/me/.cache/huggingface/hub"));
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert!(!plain.offline && plain.token.is_none());
        assert_eq!(plain.openai_cache, PathBuf::from("/me/.cache/clip"));
        let set = of(&[
            ("HF_HOME", "/hf"),
            ("HF_ENDPOINT", "http://localhost:1/"),
            ("HF_HUB_OFFLINE", "true"),
            ("HF_TOKEN", " secret\n"),
        ]);
        assert_eq!(set.cache, PathBuf::from("/hf/hub"));
        assert_eq!(set.endpoint, "http://localhost:1");
        assert!(set.offline);
        assert_eq!(
            set.token.as_ref().map(Token::bearer).unwrap(),
            "Bearer secret"
        );
        assert!(!format!("{set:?}").contains("secret"));
        let elsewhere = of(&[("HF_HUB_CACHE", "/cache"), ("HF_HUB_OFFLINE", "0")]);
        assert_eq!(elsewhere.cache, PathBuf::from("/cache"));
        assert!(!elsewhere.offline);
        let older = of(&[
            ("HOME", "/me"),
            ("HF_HOME", "~/hf"),
            ("TRANSFORMERS_OFFLINE", "yes"),
            ("HUGGING_FACE_HUB_TOKEN", "secret"),
        ]);
        assert_eq!(older.cache, PathBuf::from("/me/hf/hub"));
        assert!(older.offline && older.token.is_some());
    }
}
