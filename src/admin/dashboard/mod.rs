//! The gateway in a browser: one page with everything in it, which asks for `/api/overview` once a second.
//!
//! The browser is told to take nothing from elsewhere and to run nothing but this page's own script. Names of hosts and routes
//! come from users; the script puts them into the page as text only, and a browser that knows Trusted Types refuses anything
//! else.
//!
//! * `page.html`: what is there before the first answer
//! * `style.css`: how it looks
//! * `words.js`, `model.js`, `draw.js`, `chart.js`, `parts.js`, `lists.js`, `page.js`: the script, in this order

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::sync::LazyLock;

/// The page and what a browser is told about it.
pub(super) struct Dashboard {
    /// The page.
    pub(super) html: String,
    /// Its `content-security-policy`.
    pub(super) policy: String,
}

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = concat!(
    "'use strict';\n",
    include_str!("words.js"),
    include_str!("model.js"),
    include_str!("draw.js"),
    include_str!("chart.js"),
    include_str!("parts.js"),
    include_str!("lists.js"),
    include_str!("page.js"),
);

/// Made when the first browser asks.
static DASHBOARD: LazyLock<Dashboard> = LazyLock::new(|| Dashboard {
    html: HTML.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT),
    policy: format!(
        "default-src 'none'; connect-src 'self'; img-src data:; style-src '{}'; script-src '{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(STYLE),
        hash(SCRIPT)
    ),
});

/// The page.
pub(super) fn dashboard() -> &'static Dashboard {
    &DASHBOARD
}

/// What a policy names a style or a script by.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_takes_nothing_from_elsewhere() {
        let page = &dashboard().html;
        assert!(!page.contains("/*STYLE*/") && !page.contains("/*SCRIPT*/"));
        // A script that had its own end in it would end there.
        assert_eq!((page.matches("</script").count(), page.matches("</style").count()), (1, 1));
        for other in [
            "src=\"",
            "//cdn",
            "@import",
            "url(",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
        ] {
            assert!(!page.contains(other), "{other}");
        }
        let addresses = page.match_indices("http").filter(|(at, _)| page[*at..].contains("://"));
        let elsewhere =
            addresses.map(|(at, _)| page[at..].split(['"', '\'', '<', ' ']).next().unwrap_or_default());
        let elsewhere: Vec<_> = elsewhere.filter(|found| found.contains("://")).collect();
        // The name of SVG is no place, and the example of a URL is one that nobody asks.
        assert!(
            elsewhere.iter().all(|found| found.contains("www.w3.org") || found.contains("shop.example")),
            "{elsewhere:?}"
        );
    }
}
