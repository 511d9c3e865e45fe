//! One message type meets ractor, and one actor type can be reached by a peer.
//!
//! ractor_cluster announces every actor whose message can be serialised to every node. So all actors take
//! `Delivered<M>`, which cannot, and one in `cluster/mesh`, the gateway, takes a message that can.

use crate::Finding;
use crate::source::{Role, Source};
use syn::visit::{self, Visit};

/// The folder of the crate that has the gateway.
const MESH: &str = "cluster/mesh";
/// The file in which `Delivered` is a message of ractor.
const DELIVERED: &str = "runtime/host/src/delivered.rs";
/// The message all other actors take.
const MESSAGE: &str = "Delivered";

/// Every other message type that meets ractor, and every remotable type but the first. `expected` is how many remotable
/// types there are: one, or none in a tree without a mesh.
pub fn check(sources: &[Source], expected: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut remotable = Vec::new();
    let shipping = sources
        .iter()
        .filter(|source| source.role == Role::Shipping || source.role == Role::Example);
    for source in shipping {
        let mut meetings = Meetings {
            found: Vec::new(),
            imports_message: imports_message(source),
        };
        meetings.visit_file(&source.shipped_syntax());
        for (line, meeting) in meetings.found {
            match meeting {
                Meeting::Remotable(name) if source.folder == MESH => remotable.push(source.finding(line, name)),
                Meeting::Remotable(name) => findings.push(source.finding(
                    line,
                    format!("`{name}` can be sent to peers; only the gateway's message in {MESH} may"),
                )),
                Meeting::Local(name) if source.path == DELIVERED && name == MESSAGE => {}
                Meeting::Local(name) => {
                    findings
                        .push(source.finding(line, format!("`{name}` is a message of ractor; {MESSAGE} is the one")));
                }
                Meeting::Actor(_) if source.folder == MESH => {}
                Meeting::Actor(message) if message == MESSAGE => {}
                Meeting::Actor(message) => {
                    let what = format!("an actor takes `{message}`, expected `{MESSAGE}<…>`");
                    findings.push(source.finding(line, what));
                }
            }
        }
    }
    if remotable.len() != expected {
        let names: Vec<String> = remotable.iter().map(ToString::to_string).collect();
        findings.push(Finding::new(
            MESH,
            format!(
                "has {} remotable message types, expected {expected}: {names:?}",
                remotable.len()
            ),
        ));
    }
    findings
}

fn imports_message(source: &Source) -> bool {
    let paths = source.shipped_paths();
    paths
        .iter()
        .any(|path| path.starts_with(&["ractor", "Message"]) || path.starts_with(&["ractor", "*"]))
}

/// A place where a type meets ractor.
enum Meeting {
    /// A message type that serialises.
    Remotable(String),
    /// A message type that does not.
    Local(String),
    /// An actor, with the type of its messages.
    Actor(String),
}

struct Meetings {
    found: Vec<(usize, Meeting)>,
    imports_message: bool,
}

impl Meetings {
    fn derives(&mut self, ident: &syn::Ident, attributes: &[syn::Attribute]) {
        let line = ident.span().start().line;
        let derives = attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("derive"));
        for path in
            derives.flat_map(|attribute| crate::tokens::paths(&quote::ToTokens::to_token_stream(&attribute.meta)))
        {
            if path.ends_with(&["RactorClusterMessage"]) {
                self.found.push((line, Meeting::Remotable(ident.to_string())));
            } else if path.ends_with(&["RactorMessage"]) {
                self.found.push((line, Meeting::Local(ident.to_string())));
            }
        }
    }

    fn is_ractor_message(&self, path: &syn::Path) -> bool {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        match names.as_slice() {
            [one] => one == "Message" && self.imports_message,
            [.., parent, last] => parent == "ractor" && last == "Message",
            [] => false,
        }
    }
}

impl<'ast> Visit<'ast> for Meetings {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.derives(&item.ident, &item.attrs);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.derives(&item.ident, &item.attrs);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let Some((_, path, _)) = &item.trait_ else {
            return visit::visit_item_impl(self, item);
        };
        let line = item.impl_token.span.start().line;
        let last = path
            .segments
            .last()
            .map_or_else(String::new, |segment| segment.ident.to_string());
        if self.is_ractor_message(path) {
            let serialises = item.items.iter().any(|inner| is_function(inner, "serializable"));
            let name = type_name(&item.self_ty);
            let meeting = if serialises {
                Meeting::Remotable(name)
            } else {
                Meeting::Local(name)
            };
            self.found.push((line, meeting));
        } else if last == "BytesConvertable" {
            // ractor makes every such type a message that serialises.
            self.found.push((line, Meeting::Remotable(type_name(&item.self_ty))));
        } else if last == "Actor" || last == "ThreadLocalActor" {
            for inner in &item.items {
                if let syn::ImplItem::Type(associated) = inner
                    && associated.ident == "Msg"
                {
                    let line = associated.type_token.span.start().line;
                    self.found.push((line, Meeting::Actor(type_name(&associated.ty))));
                }
            }
        }
        visit::visit_item_impl(self, item);
    }
}

fn is_function(item: &syn::ImplItem, name: &str) -> bool {
    matches!(item, syn::ImplItem::Fn(function) if function.sig.ident == name)
}

/// The last segment of a type's path, without its parameters.
fn type_name(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Path(path) => path
            .path
            .segments
            .last()
            .map_or_else(String::new, |last| last.ident.to_string()),
        other => quote::ToTokens::to_token_stream(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, code: &str, expected: usize) -> Vec<String> {
        let folder: Vec<&str> = path.split('/').take(2).collect();
        let source = Source::new(path, &folder.join("/"), Role::Shipping, code).unwrap();
        check(&[source], expected)
            .iter()
            .map(|finding| finding.what.clone())
            .collect()
    }

    const GATEWAY: &str = "impl ractor::Message for Frame { fn serializable() -> bool { true } }";

    #[test]
    fn a_remotable_type_outside_the_mesh_is_found() {
        let expected = "`Frame` can be sent to peers; only the gateway's message in cluster/mesh may";
        assert_eq!(found("actors/agent/src/a.rs", GATEWAY, 0), [expected]);
        for code in [
            "#[derive(Debug, ractor_cluster::RactorClusterMessage)] enum Frame { A }",
            "use ractor_cluster::RactorClusterMessage; #[derive(RactorClusterMessage)] struct Frame;",
            "use ractor::Message; impl Message for Frame { fn serializable() -> bool { true } }",
            "impl ractor::BytesConvertable for Frame {}",
        ] {
            assert_eq!(found("actors/agent/src/a.rs", code, 0), [expected], "{code}");
        }
    }

    #[test]
    fn the_mesh_has_exactly_as_many_as_expected() {
        assert!(found("cluster/mesh/src/a.rs", GATEWAY, 1).is_empty());
        assert_eq!(found("cluster/mesh/src/a.rs", "", 1).len(), 1);
        let two = format!("{GATEWAY} #[derive(RactorClusterMessage)] enum Other {{ A }}");
        assert_eq!(found("cluster/mesh/src/a.rs", &two, 1).len(), 1);
    }

    #[test]
    fn another_message_type_is_found() {
        let expected = "`Command` is a message of ractor; Delivered is the one";
        for code in [
            "impl ractor::Message for Command {}",
            "use ractor::{Actor, Message}; impl Message for Command {}",
            "#[derive(RactorMessage)] enum Command { A }",
        ] {
            assert_eq!(found("actors/agent/src/a.rs", code, 0), [expected], "{code}");
        }
        assert!(
            found(
                DELIVERED,
                "impl<M: Send + 'static> ractor::Message for Delivered<M> {}",
                0
            )
            .is_empty()
        );
        assert!(found("actors/agent/src/a.rs", "impl Message for Command {}", 0).is_empty());
    }

    #[test]
    fn an_actor_with_another_message_is_found() {
        let actor = |message| format!("impl Actor for A {{ type Msg = {message}; }}");
        assert!(found("actors/agent/src/a.rs", &actor("Delivered<Command>"), 0).is_empty());
        assert!(found("actors/agent/src/a.rs", &actor("rungs_host::Delivered<Command>"), 0).is_empty());
        assert_eq!(
            found("actors/agent/src/a.rs", &actor("Command"), 0),
            ["an actor takes `Command`, expected `Delivered<…>`"]
        );
        assert_eq!(found("actors/agent/src/a.rs", &actor("()"), 0).len(), 1);
    }
}
