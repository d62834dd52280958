//! Settings of the hub from environment variables: its address, the folders for files, the token.
//!
//! Sources: `constants.py` in huggingface_hub, whose variables these are; `load` in OpenAI's
//! `clip/clip.py`.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::weights::names::OPENAI_FILES;

/// Where the hub is, and how it is to be used.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    /// Without a slash at the end.
    pub(super) endpoint: String,
    /// The folder of `models--ORGANISATION--NAME`; none where neither a home nor a variable names
    /// one.
    pub(super) cache: Option<PathBuf>,
    pub(super) token: Option<Token>,
    /// Whether the network is not to be used.
    pub(super) offline: bool,
    /// Where OpenAI's files are: `/SHA256/FILE` follows.
    pub(super) openai: String,
    /// The folder in which OpenAI's own program keeps them; none without a home.
    pub(super) openai_cache: Option<PathBuf>,
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
    /// This process's.
    pub(super) fn own() -> Self {
        Self::new(|name| std::env::var_os(name))
    }

    /// Reads the settings; `variable` returns the value of an environment variable.
    pub(super) fn new(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| given(name)?.into_string().ok();
        // A relative path would be another folder in every directory that the program is started
        // in, so it counts as not set. For XDG's variables their standard says so.
        let absolute = |name: &str| given(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let user = absolute("HOME").or_else(|| absolute("USERPROFILE"));
        let caches = user.as_ref().map(|user| user.join(".cache"));
        // Python expands a leading `~`; shells do, where it is not quoted.
        let path = |name: &str| {
            let value = PathBuf::from(given(name)?);
            match (value.strip_prefix("~"), &user) {
                (Ok(rest), Some(user)) => Some(user.join(rest)),
                _ => Some(value),
            }
        };
        let home = path("HF_HOME").or_else(|| {
            let xdg = path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
            Some(xdg.or_else(|| caches.clone())?.join("huggingface"))
        });
        let within = |name: &str| home.as_ref().map(|home| home.join(name));
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let is_true = |name: &str| {
            let value = text(name).unwrap_or_default().to_uppercase();
            ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
        };
        let token_file = path("HF_TOKEN_PATH").or_else(|| within("token"));
        let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let token = token.or_else(|| {
            if is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
                None
            } else {
                fs_err::read_to_string(token_file?).ok()
            }
        });
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: cache.or_else(|| within("hub")),
            token: token
                .map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty())
                .map(Token),
            offline: is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"),
            openai: OPENAI_FILES.into(),
            openai_cache: caches.map(|caches| caches.join("clip")),
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
        let is = |path: &str| Some(PathBuf::from(path));
        assert_eq!(plain.cache, is("/me/.cache/huggingface/hub"));
        assert_eq!(plain.endpoint, "https://huggingface.co");
        assert!(!plain.offline && plain.token.is_none());
        assert_eq!(plain.openai_cache, is("/me/.cache/clip"));
        let set = of(&[
            ("HF_HOME", "/hf"),
            ("HF_ENDPOINT", "http://localhost:1/"),
            ("HF_HUB_OFFLINE", "true"),
            ("HF_TOKEN", " secret\n"),
        ]);
        assert_eq!(set.cache, is("/hf/hub"));
        assert_eq!(set.endpoint, "http://localhost:1");
        assert!(set.offline);
        assert_eq!(
            set.token.as_ref().map(Token::bearer).unwrap(),
            "Bearer secret"
        );
        assert!(!format!("{set:?}").contains("secret"));
        let elsewhere = of(&[("HF_HUB_CACHE", "/cache"), ("HF_HUB_OFFLINE", "0")]);
        assert_eq!(elsewhere.cache, is("/cache"));
        assert!(!elsewhere.offline);
        let older = of(&[
            ("HOME", "/me"),
            ("HF_HOME", "~/hf"),
            ("TRANSFORMERS_OFFLINE", "yes"),
            ("HUGGING_FACE_HUB_TOKEN", "secret"),
        ]);
        assert_eq!(older.cache, is("/me/hf/hub"));
        assert!(older.offline && older.token.is_some());
        // Nothing is kept beside wherever the program is called.
        for variables in [
            &[][..],
            &[("HOME", "")],
            &[("HOME", "me"), ("XDG_CACHE_HOME", "caches")],
        ] {
            let nowhere = of(variables);
            assert_eq!((nowhere.cache, nowhere.openai_cache), (None, None));
        }
        let xdg = |path: &str| of(&[("HOME", "/me"), ("XDG_CACHE_HOME", path)]).cache;
        assert_eq!(xdg("caches"), is("/me/.cache/huggingface/hub"));
        assert_eq!(xdg("/caches"), is("/caches/huggingface/hub"));
    }
}
