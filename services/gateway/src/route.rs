//! Which mapping answers a request: a trie over the segments of paths.
//!
//! Invariant: a literal segment beats a variable, and a variable beats the rest of the path; a
//! template without the method asked for never hides one that has it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use crate::Error;
use crate::binding::Binding;
use crate::percent;
use crate::template::{Part, Variable};

/// Every mapping, by path and method.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    one: Option<Box<Node>>,
    many: Option<Box<Node>>,
    ends: Vec<Arc<Binding>>,
}

/// What a path and a method lead to.
#[derive(Debug)]
pub(crate) enum Found {
    /// A mapping, with the texts of its variables in their order.
    Binding(Arc<Binding>, Vec<String>),
    /// Mappings for other methods alone.
    OtherMethods(Vec<Method>),
    /// Nothing.
    Nothing,
    /// The path's percent-encoding is broken.
    Malformed,
}

impl Routes {
    /// Adds a mapping; one that answers the same requests as another is refused.
    pub(crate) fn insert(&mut self, binding: Binding) -> Result<(), Error> {
        let mut node = &mut self.root;
        for part in &binding.template.parts {
            node = match part {
                Part::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Part::One => node.one.get_or_insert_default(),
                Part::Many => node.many.get_or_insert_default(),
            };
        }
        let same = |other: &&Arc<Binding>| {
            other.method == binding.method && other.template.verb == binding.template.verb
        };
        if let Some(other) = node.ends.iter().find(same) {
            return Err(Error::Conflict {
                first: other.rpc.method.full_name().to_owned(),
                second: binding.rpc.method.full_name().to_owned(),
                method: binding.method,
                template: binding.text,
            });
        }
        node.ends.push(Arc::new(binding));
        Ok(())
    }

    /// The mapping for a request.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let raw: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let mut allowed = Vec::new();
        // A verb is tried first: `orders/{id}:cancel` beats an id that ends with `:cancel`.
        for path in Path::readings(&raw) {
            let Some(path) = path else { return Found::Malformed };
            if let Some(binding) = self.root.find(method, &path, 0, &mut allowed) {
                return match path.captures(binding) {
                    Some(captures) => Found::Binding(binding.clone(), captures),
                    None => Found::Malformed,
                };
            }
        }
        if allowed.is_empty() { Found::Nothing } else { Found::OtherMethods(allowed) }
    }
}

impl Node {
    fn find<'a>(
        &'a self,
        method: &Method,
        path: &Path<'_>,
        at: usize,
        allowed: &mut Vec<Method>,
    ) -> Option<&'a Arc<Binding>> {
        let Some(segment) = path.decoded.get(at) else {
            let here = self.end(method, path.verb, allowed);
            return here.or_else(|| self.many.as_deref()?.end(method, path.verb, allowed));
        };
        let literal = self.literals.get(segment.as_ref());
        literal
            .and_then(|node| node.find(method, path, at + 1, allowed))
            .or_else(|| {
                let one = self.one.as_deref().filter(|_| !segment.is_empty())?;
                one.find(method, path, at + 1, allowed)
            })
            .or_else(|| self.many.as_deref()?.end(method, path.verb, allowed))
    }

    fn end(
        &self,
        method: &Method,
        verb: Option<&str>,
        allowed: &mut Vec<Method>,
    ) -> Option<&Arc<Binding>> {
        let ends = || self.ends.iter().filter(|end| end.template.verb.as_deref() == verb);
        let found = ends().find(|end| end.method == *method);
        if found.is_none() {
            for end in ends() {
                if !allowed.contains(&end.method) {
                    allowed.push(end.method.clone());
                }
            }
        }
        found
    }
}

/// A path, read with or without a verb.
struct Path<'a> {
    raw: Vec<&'a str>,
    decoded: Vec<Cow<'a, str>>,
    verb: Option<&'a str>,
}

impl<'a> Path<'a> {
    /// The readings of a path, each `None` when an escape in it is broken.
    fn readings(raw: &[&'a str]) -> impl Iterator<Item = Option<Self>> {
        let with_verb = raw.split_last().and_then(|(last, before)| {
            let (last, verb) = last.rsplit_once(':')?;
            let raw = before.iter().copied().chain([last]).collect();
            Some((raw, Some(verb)))
        });
        let whole = (raw.to_vec(), None);
        with_verb.into_iter().chain([whole]).map(|(raw, verb)| Self::read(raw, verb))
    }

    fn read(raw: Vec<&'a str>, verb: Option<&'a str>) -> Option<Self> {
        let decoded = raw.iter().map(|segment| percent::decode(segment)).collect::<Option<_>>()?;
        Some(Self { raw, decoded, verb })
    }

    fn captures(&self, binding: &Binding) -> Option<Vec<String>> {
        let template = &binding.template;
        let capture = |variable: &Variable| {
            let start = variable.parts.start;
            if template.is_single(variable) {
                return self.decoded.get(start).map(|segment| segment.clone().into_owned());
            }
            let end = if template.is_open(variable) { self.raw.len() } else { variable.parts.end };
            let covered = self.raw.get(start..end).unwrap_or_default();
            let segments: Option<Vec<_>> =
                covered.iter().map(|segment| percent::decode_segment(segment)).collect();
            segments.map(|segments| segments.join("/"))
        };
        template.variables.iter().map(capture).collect()
    }
}
