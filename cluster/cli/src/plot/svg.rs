//! Elements of an SVG file, as text.
//!
//! Invariants:
//! 1. What is written is well-formed XML, whatever the texts say: what is open is closed at the end, special characters
//!    are escaped, and control characters are left out.
//! 2. The same calls give the same bytes. Coordinates have at most one decimal.

use std::fmt::{Display, Write};

/// A file that is being written.
#[derive(Debug)]
pub struct Svg {
    out: String,
    /// Elements that are not closed yet.
    open: Vec<&'static str>,
}

/// Colours and strokes. Every element has a class; the second half is for readers who have asked for dark.
const STYLE: &str = "\
.paper{fill:#fff}text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#52606d}\
.title{font-size:18px;font-weight:600;fill:#1f2933}.name{font-weight:600;fill:#323f4b}.note{fill:#7b8794}\
.end{text-anchor:end}.middle{text-anchor:middle}\
.grid{stroke:#e4e7eb;fill:none}.frame{stroke:#cbd2d9;fill:none}\
.observed{stroke:#334e68;fill:none;stroke-linejoin:round}.forecast{stroke:#2186eb;fill:none;stroke-linejoin:round}\
.interval{fill:#2186eb;fill-opacity:.18}.label{fill:#f0b429;fill-opacity:.22}\
.probation{fill:#9aa5b1;fill-opacity:.12}.anomaly{stroke:#8719e0;fill:none}.threshold{stroke:#ba2525;stroke-dasharray:5 4;fill:none}\
.hit{fill:#0c9a6a}.alarm{fill:#d64545}.incident{fill:#de911d}.level{fill:#2186eb;fill-opacity:.28}.step{stroke:#2186eb;fill:none}\
.freeze{stroke:#d64545;stroke-width:1.5}.divergence{stroke:#de911d;fill:none}.lyapunov{stroke:#0c9a6a;fill:none}\
.identity{stroke:#8719e0;fill:none}\
@media(prefers-color-scheme:dark){.paper{fill:#12161c}text{fill:#9fb3c8}.title{fill:#f0f4f8}.name{fill:#d9e2ec}\
.note{fill:#829ab1}.grid{stroke:#222b36}.frame{stroke:#3e4c59}.observed{stroke:#d9e2ec}.forecast{stroke:#62b0ff}\
.interval{fill:#62b0ff;fill-opacity:.22}.label{fill-opacity:.2}.anomaly,.identity{stroke:#c08bff}.threshold{stroke:#ff7b7b}\
.hit{fill:#3ebd93}.alarm{fill:#ff7b7b}.incident{fill:#f7c948}.level{fill:#62b0ff}.step{stroke:#62b0ff}.freeze{stroke:#ff7b7b}\
.divergence{stroke:#f7c948}.lyapunov{stroke:#3ebd93}}";

impl Svg {
    /// An empty picture with a title for those who cannot see it.
    pub fn new(width: f64, height: f64, title: &str) -> Self {
        let (width, height) = (number(width), number(height));
        let mut svg = Self {
            out: format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" \
                 width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n"
            ),
            open: Vec::new(),
        };
        let title = escaped(title);
        write!(svg.out, "<title>{title}</title>\n<style>{STYLE}</style>\n").expect("a string takes all writes");
        svg.rect("paper", [0.0, 0.0, f64::INFINITY, f64::INFINITY]);
        svg
    }

    /// A rectangle: left, top, width, height. An infinite width or height is all of the picture.
    pub fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4]) {
        let side = |length: f64| {
            if length.is_finite() {
                number(length)
            } else {
                "100%".to_owned()
            }
        };
        let (x, y, width, height) = (number(x), number(y), side(width), side(height));
        self.line_of(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        ));
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.path(class, &Path::default().to(from).to(to));
    }

    /// A path; nothing where it has no point.
    pub fn path(&mut self, class: &str, path: &Path) {
        if !path.0.is_empty() {
            self.line_of(format_args!("<path class=\"{class}\" d=\"{}\"/>", path.0));
        }
    }

    /// A text that begins, ends or is centred at a point, as the class says.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let (x, y, text) = (number(x), number(y), escaped(text));
        self.line_of(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        ));
    }

    /// A dot that tells what it is when it is pointed at.
    pub fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, says: &str) {
        let (x, y, radius, says) = (number(x), number(y), number(radius), escaped(says));
        self.line_of(format_args!(
            "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"><title>{says}</title></circle>"
        ));
    }

    /// Opens a group of elements that belong together.
    pub fn group(&mut self, label: &str) {
        let label = escaped(label);
        self.line_of(format_args!("<g aria-label=\"{label}\">"));
        self.open.push("g");
    }

    /// Closes the last group.
    pub fn end_group(&mut self) {
        if let Some(tag) = self.open.pop() {
            self.line_of(format_args!("</{tag}>"));
        }
    }

    /// The whole file.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end_group();
        }
        self.out.push_str("</svg>\n");
        self.out
    }

    fn line_of(&mut self, line: impl Display) {
        writeln!(self.out, "{line}").expect("a string takes all writes");
    }
}

/// The `d` of a path, from absolute points.
#[derive(Debug, Clone, Default)]
pub struct Path(String);

impl Path {
    /// Draws a line to a point; of an empty path, starts there.
    #[must_use]
    pub fn to(mut self, point: (f64, f64)) -> Self {
        self.draw(point);
        self
    }

    /// As [`Path::to`], in place.
    pub fn draw(&mut self, (x, y): (f64, f64)) {
        let letter = if self.0.is_empty() { 'M' } else { 'L' };
        write!(self.0, "{letter}{} {}", number(x), number(y)).expect("a string takes all writes");
    }

    /// Starts again at a point.
    pub fn jump(&mut self, (x, y): (f64, f64)) {
        write!(self.0, "M{} {}", number(x), number(y)).expect("a string takes all writes");
    }

    /// Draws a line to where the path started.
    pub fn close(&mut self) {
        if !self.0.is_empty() {
            self.0.push('Z');
        }
    }
}

/// A coordinate with at most one decimal; one that is not finite is 0.
fn number(value: f64) -> String {
    let tenths = if value.is_finite() { (10.0 * value).round() } else { 0.0 };
    // Adding 0 takes the sign off a zero.
    format!("{}", (tenths + 0.0) / 10.0)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Fails unless all tags are closed in order and no bare special character is left: enough of XML for what is
    /// written here.
    pub(crate) fn assert_well_formed(text: &str) {
        let mut open: Vec<String> = Vec::new();
        let mut rest = text
            .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
            .expect("a declaration");
        while let Some(at) = rest.find('<') {
            let (between, tag) = rest.split_at(at);
            assert!(!between.contains('>'), "{between}");
            let end = tag.find('>').expect("a tag has an end");
            let inner = &tag[1..end];
            assert!(!inner.contains('<') && inner.matches('"').count() % 2 == 0, "{inner}");
            if let Some(name) = inner.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name));
            } else if !inner.ends_with('/') {
                open.push(inner.split(' ').next().expect("a name").to_owned());
            }
            rest = &tag[end + 1..];
        }
        assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
        let entities = ["amp;", "lt;", "gt;", "quot;"];
        for (at, _) in text.match_indices('&') {
            assert!(
                entities.iter().any(|entity| text[at + 1..].starts_with(entity)),
                "{}",
                &text[at..]
            );
        }
    }

    #[test]
    fn hostile_texts_stay_texts() {
        let mut svg = Svg::new(10.0, 10.0, "a<b>&\"c\"\u{1}");
        svg.group("\"><script>");
        svg.text("name", (1.0, 2.0), "</text><x>");
        svg.dot("alarm", (1.0, f64::NAN), 2.0, "&amp;");
        svg.group("left open");
        let text = svg.finish();
        assert_well_formed(&text);
        assert!(text.contains("<title>a&lt;b&gt;&amp;&quot;c&quot;</title>"), "{text}");
        assert!(text.contains("&lt;/text&gt;&lt;x&gt;"), "{text}");
        assert!(
            !text.contains("<script>") && text.ends_with("</g>\n</g>\n</svg>\n"),
            "{text}"
        );
    }

    #[test]
    fn coordinates_have_at_most_one_decimal() {
        let values = [0.0, -0.04, 1.0, 1.25, 33.333, 1e4, f64::INFINITY];
        assert_eq!(values.map(number), ["0", "0", "1", "1.3", "33.3", "10000", "0"]);
        let mut path = Path::default();
        path.close();
        assert_eq!(path.0, "");
        path.draw((1.0, 2.0));
        path.jump((3.0, 4.06));
        path.draw((5.0, 6.0));
        path.close();
        assert_eq!(path.0, "M1 2M3 4.1L5 6Z");
    }
}
