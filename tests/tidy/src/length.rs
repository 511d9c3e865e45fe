//! Files and functions stay short; the exceptions are listed with reasons, and leave the list when they are over.

use crate::Finding;
use crate::exceptions::{Exceptions, REASON_CHARS};
use crate::source::{Role, Source};
use syn::visit::{self, Visit};

/// Lines of a file of shipping code or a benchmark, test code in it not counted.
const FILE_LINES: usize = 500;
/// Lines of an example.
const EXAMPLE_LINES: usize = 60;
/// Lines of a function, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;

/// Every file and function that is too long, and every exception that is stale or has no reason.
pub fn check(sources: &[Source], exceptions: &Exceptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.role != Role::Test) {
        findings.extend(file(source, exceptions));
        findings.extend(functions(source, exceptions));
    }
    findings.extend(stale(sources, exceptions));
    findings
}

fn file(source: &Source, exceptions: &Exceptions) -> Option<Finding> {
    let usual = if source.role == Role::Example {
        EXAMPLE_LINES
    } else {
        FILE_LINES
    };
    let exception = exceptions.file.iter().find(|file| file.path == source.path);
    let limit = exception.map_or(usual, |file| file.lines);
    let lines = file_lines(source);
    (lines > limit).then(|| Finding::new(&source.path, format!("has {lines} lines, allowed are {limit}")))
}

fn file_lines(source: &Source) -> usize {
    let removed: usize = source
        .shipped()
        .removed
        .iter()
        .map(|(first, last)| last + 1 - first)
        .sum();
    source.text.lines().count().saturating_sub(removed)
}

fn functions(source: &Source, exceptions: &Exceptions) -> Vec<Finding> {
    let long = function_lines(&source.shipped_syntax())
        .into_iter()
        .filter_map(|(name, line, lines)| {
            let exception = exceptions
                .function
                .iter()
                .find(|f| f.path == source.path && f.name == name);
            let limit = exception.map_or(FUNCTION_LINES, |function| function.lines);
            (lines > limit).then(|| source.finding(line, format!("`{name}` has {lines} lines, allowed are {limit}")))
        });
    long.collect()
}

/// Name, first line and number of lines of each function.
fn function_lines(file: &syn::File) -> Vec<(String, usize, usize)> {
    struct Functions(Vec<(String, usize, usize)>);
    impl Functions {
        fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
            let first = signature.fn_token.span.start().line;
            let last = block.brace_token.span.close().end().line;
            self.0.push((signature.ident.to_string(), first, last + 1 - first));
        }
    }
    impl<'ast> Visit<'ast> for Functions {
        fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
            self.add(&function.sig, &function.block);
            visit::visit_item_fn(self, function);
        }
        fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
            self.add(&function.sig, &function.block);
            visit::visit_impl_item_fn(self, function);
        }
        fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
            if let Some(block) = &function.default {
                self.add(&function.sig, block);
            }
            visit::visit_trait_item_fn(self, function);
        }
    }
    let mut functions = Functions(Vec::new());
    functions.visit_file(file);
    functions.0
}

/// Exceptions for what is gone or short enough by now, and those without a real reason.
fn stale(sources: &[Source], exceptions: &Exceptions) -> Vec<Finding> {
    let files = exceptions.file.iter().map(|file| {
        let source = sources.iter().find(|source| source.path == file.path);
        let lines = source.map(file_lines).filter(|lines| *lines > FILE_LINES);
        (file.path.clone(), lines, file.lines, &file.reason)
    });
    let functions = exceptions.function.iter().map(|function| {
        let source = sources.iter().find(|source| source.path == function.path);
        let all = source
            .map(|source| function_lines(&source.shipped_syntax()))
            .unwrap_or_default();
        let longest = all
            .iter()
            .filter(|(name, _, _)| *name == function.name)
            .map(|(_, _, lines)| *lines)
            .max();
        let lines = longest.filter(|lines| *lines > FUNCTION_LINES);
        let place = format!("{} `{}`", function.path, function.name);
        (place, lines, function.lines, &function.reason)
    });
    files
        .chain(functions)
        .filter_map(|(place, lines, allowed, reason)| match lines {
            None => Some(Finding::new(place, "needs its exception no longer")),
            Some(lines) if allowed > lines + lines / 10 => Some(Finding::new(
                place,
                format!("has {lines} lines, but its exception allows {allowed}: lower it"),
            )),
            Some(_) if reason.len() < REASON_CHARS => {
                Some(Finding::new(place, "has an exception without a real reason"))
            }
            Some(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(role: Role, text: &str) -> Source {
        Source::new("a.rs", "cluster/node", role, text).unwrap()
    }

    fn lines(count: usize) -> String {
        "// line\n".repeat(count)
    }

    fn function(body: usize) -> String {
        format!(
            "struct A;\nimpl A {{\n    fn long(&self) {{\n{}    }}\n}}\n",
            "        f();\n".repeat(body)
        )
    }

    fn found(role: Role, text: &str, exceptions: &str) -> Vec<String> {
        let findings = check(&[source(role, text)], &Exceptions::parse(exceptions).unwrap());
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_one_line_too_long_is_found() {
        assert!(found(Role::Shipping, &lines(500), "").is_empty());
        assert_eq!(
            found(Role::Shipping, &lines(501), ""),
            ["a.rs: has 501 lines, allowed are 500"]
        );
        assert!(found(Role::Test, &lines(501), "").is_empty());
    }

    #[test]
    fn tests_in_a_file_do_not_count() {
        let text = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(500), lines(300));
        assert!(found(Role::Shipping, &text, "").is_empty());
    }

    #[test]
    fn an_example_one_line_too_long_is_found() {
        assert!(found(Role::Example, &lines(60), "").is_empty());
        assert_eq!(
            found(Role::Example, &lines(61), ""),
            ["a.rs: has 61 lines, allowed are 60"]
        );
    }

    #[test]
    fn a_function_one_line_too_long_is_found() {
        assert!(found(Role::Shipping, &function(68), "").is_empty());
        assert_eq!(
            found(Role::Shipping, &function(69), ""),
            ["a.rs:3: `long` has 71 lines, allowed are 70"]
        );
    }

    #[test]
    fn an_exception_counts_while_it_is_needed_and_has_a_reason() {
        let exception = |lines, reason| format!("[[file]]\npath = 'a.rs'\nlines = {lines}\nreason = '{reason}'");
        let reason = "one table that is read from top to bottom";
        assert!(found(Role::Shipping, &lines(600), &exception(600, reason)).is_empty());
        assert_eq!(
            found(Role::Shipping, &lines(601), &exception(600, reason)),
            ["a.rs: has 601 lines, allowed are 600"]
        );
        assert_eq!(
            found(Role::Shipping, &lines(400), &exception(600, reason)),
            ["a.rs: needs its exception no longer"]
        );
        assert_eq!(
            found(Role::Shipping, &lines(510), &exception(900, reason)),
            ["a.rs: has 510 lines, but its exception allows 900: lower it"]
        );
        assert_eq!(
            found(Role::Shipping, &lines(600), &exception(600, "long")),
            ["a.rs: has an exception without a real reason"]
        );
    }

    #[test]
    fn a_function_exception_is_for_that_function_only() {
        let exception = |name| {
            format!("[[function]]\npath = 'a.rs'\nname = '{name}'\nlines = 75\nreason = 'one match over all events'")
        };
        assert!(found(Role::Shipping, &function(70), &exception("long")).is_empty());
        assert_eq!(
            found(Role::Shipping, &function(70), &exception("other")),
            [
                "a.rs:3: `long` has 72 lines, allowed are 70",
                "a.rs `other`: needs its exception no longer"
            ]
        );
    }
}
