//! A QR code in text: half blocks, two modules a character.

use qrcode::render::unicode::Dense1x2;
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode};

const WHITE_ON_BLACK: &str = "\x1b[97;40m";
const RESET: &str = "\x1b[0m";

/// The code with its quiet zone. `colours` sets black and white whatever the terminal's theme;
/// without, it is right on a dark ground.
///
/// # Errors
/// The text is too long for a code.
pub(crate) fn draw(text: &str, colours: bool) -> Result<String, QrError> {
    // The lowest level: a screen does not get dirty, and fewer modules fit on it more easily.
    let code = QrCode::with_error_correction_level(text, EcLevel::L)?;
    let picture = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build();
    let line = |line: &str| match colours {
        true => format!("{WHITE_ON_BLACK}{line}{RESET}\n"),
        false => format!("{line}\n"),
    };
    Ok(picture.lines().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules of a picture, true for dark: what a camera sees.
    fn modules(picture: &str) -> Vec<Vec<bool>> {
        let halves = |of: char| match of {
            ' ' => [true, true],
            '\u{2580}' => [false, true],
            '\u{2584}' => [true, false],
            '\u{2588}' => [false, false],
            other => panic!("{other:?} is no half block"),
        };
        let row = |line: &str, half: usize| line.chars().map(|of| halves(of)[half]).collect();
        picture
            .lines()
            .flat_map(|line| [row(line, 0), row(line, 1)])
            .collect()
    }

    #[test]
    fn the_picture_shows_each_module_inside_a_light_frame() {
        let text = "https://wa.me/settings/linked_devices#2@x,y,z,1";
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let seen = modules(&draw(text, false).unwrap());
        let (width, frame) = (code.width(), 4);
        for (y, row) in seen.iter().take(width + 2 * frame).enumerate() {
            assert_eq!(row.len(), width + 2 * frame);
            for (x, dark) in row.iter().enumerate() {
                let inside = |at: usize| (frame..frame + width).contains(&at);
                let expected =
                    inside(x) && inside(y) && code[(x - frame, y - frame)] == qrcode::Color::Dark;
                assert_eq!(*dark, expected, "{x} {y}");
            }
        }
    }

    #[test]
    fn every_line_sets_and_resets_its_colours() {
        let picture = draw("x", true).unwrap();
        for line in picture.lines() {
            assert!(line.starts_with(WHITE_ON_BLACK) && line.ends_with(RESET));
        }
    }
}
