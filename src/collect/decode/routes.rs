//! Paths that a source names itself: `/users/{name}/posts` is one operation, whoever's posts they are.
//! Compiled once a decoder. This file never cuts an id out of a path that no template fits.

use std::sync::Arc;

use super::operation::{self, LABEL_BYTES_MAX};

/// Each is compared with every new path.
const TEMPLATES_MAX: usize = 200;

/// A source's templates, the first that fits first.
#[derive(Debug, Default)]
pub struct Routes {
    list: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    written: Box<str>,
    /// `None` fits any one segment.
    segments: Box<[Option<Box<str>>]>,
}

/// Why these are no templates.
pub fn check(templates: &[String]) -> Result<(), String> {
    if templates.len() > TEMPLATES_MAX {
        return Err(format!("operations has {} paths; a source has at most {TEMPLATES_MAX}", templates.len()));
    }
    for template in templates {
        refusal(template).map_or(Ok(()), |why| Err(format!("operations: {template:?} {why}")))?;
    }
    Ok(())
}

fn refusal(template: &str) -> Option<String> {
    let Some(path) = template.strip_prefix('/') else {
        return Some("is no path; write it as \"/users/{name}/posts\"".to_owned());
    };
    if template.len() > LABEL_BYTES_MAX || !template.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(format!("has to be at most {LABEL_BYTES_MAX} printable ASCII characters"));
    }
    if template.contains(['?', '#', ';']) {
        return Some("goes beyond the path; end it before ?, # and ;".to_owned());
    }
    let odd = |segment: &str| segment.contains(['{', '}']) && gap(segment).is_none();
    path.split('/')
        .any(odd)
        .then(|| "has a gap that is not a whole segment; write it as \"/users/{name}/posts\"".to_owned())
}

/// The name in `{name}`.
fn gap(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}').filter(|name| !name.is_empty() && !name.contains(['{', '}']))
}

impl Routes {
    pub fn new(templates: &[String]) -> Arc<Routes> {
        let segment = |segment: &str| if gap(segment).is_some() { None } else { Some(segment.into()) };
        let route = |written: &String| Route {
            written: written.as_str().into(),
            segments: written.split('/').skip(1).map(segment).collect(),
        };
        Arc::new(Routes { list: templates.iter().map(route).collect() })
    }

    /// The first template that the path of this url or request target fits, as written.
    #[inline]
    pub fn named(&self, target: &str) -> Option<&str> {
        if self.list.is_empty() { None } else { self.search(target) }
    }

    fn search(&self, target: &str) -> Option<&str> {
        let path = operation::path_of(target).strip_prefix('/')?;
        let fits = |route: &&Route| {
            let mut segments = path.split('/').map(without_parameters);
            route.segments.iter().all(|wanted| {
                segments.next().is_some_and(|segment| match wanted {
                    Some(literal) => segment == &**literal,
                    None => !segment.is_empty(),
                })
            }) && segments.next().is_none()
        };
        self.list.iter().find(fits).map(|route| &*route.written)
    }

    /// The label of a url or request target's path.
    #[inline]
    pub fn label(&self, target: &str, label: &mut String) {
        match self.named(target) {
            None => operation::path(target, label),
            Some(written) => {
                label.clear();
                label.push_str(written);
            }
        }
    }
}

/// A segment without its matrix parameters.
fn without_parameters(segment: &str) -> &str {
    segment.split_once(';').map_or(segment, |(segment, _)| segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_template_that_fits_names_the_operation() {
        let templates = ["/users/{name}/posts", "/users/me/{x}", "/v1/{account}/items/{id}", "/items/42", "/"];
        let routes = Routes::new(&templates.map(str::to_owned));
        for (target, label) in [
            ("/users/anna/posts", "/users/{name}/posts"),
            ("https://api.example.com/users/anna/posts?page=2", "/users/{name}/posts"),
            ("/users/anna;v=1/posts#top", "/users/{name}/posts"),
            ("/users/me/posts", "/users/{name}/posts"),
            ("/users/me/likes", "/users/me/{x}"),
            ("/v1/7/items/x", "/v1/{account}/items/{id}"),
            ("/items/42", "/items/42"),
            ("/items/43", "/items/{id}"),
            ("https://api.example.com", "/"),
            ("/users//posts", "/users//posts"),
            ("/users/anna/posts/", "/users/anna/posts/"),
            ("/users/anna", "/users/anna"),
            ("/Users/anna/posts", "/Users/anna/posts"),
        ] {
            let mut written = String::new();
            routes.label(target, &mut written);
            assert_eq!(written, label, "{target}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for template in ["users/{name}", "/users/{name", "/users/{}/x", "/users/{a}b", "/a?b", "/a b", "/ä", "/{a}{b}"]
        {
            assert!(check(&[template.to_owned()]).is_err(), "{template}");
        }
        assert!(check(&[format!("/{}", "x".repeat(LABEL_BYTES_MAX))]).is_err());
        assert!(check(&vec!["/a".to_owned(); TEMPLATES_MAX + 1]).is_err());
        assert_eq!(check(&["/".to_owned(), "/users/{name}/posts".to_owned()]), Ok(()));
    }
}
