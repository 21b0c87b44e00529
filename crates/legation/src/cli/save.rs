//! Saves artifacts. Their names are a stranger's, so they are made fit to be names of files in one
//! directory, and nothing that is there already is touched.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use legation_model::{Artifact, ArtifactId, Content, Part, Task, TaskId};

use super::exit::Failure;
use super::json::pretty;
use super::message;
use super::out::note;

/// Bytes of a name without its ending and number; file systems allow 255 in all.
const LONGEST: usize = 120;
/// How many files of one name there may be.
const COPIES: u32 = 10_000;

/// A directory that takes artifacts.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    /// What is there already of this conversation, as it was.
    saved: HashMap<(TaskId, ArtifactId), Artifact>,
}

impl Shelf {
    /// Makes the directory where it is missing.
    pub(crate) fn new(dir: PathBuf) -> Result<Self, Failure> {
        fs::create_dir_all(&dir).map_err(|error| failure(&dir, &error))?;
        Ok(Self { dir, saved: HashMap::new() })
    }

    /// Saves the artifacts of a task that were not saved yet as they are, and says where.
    pub(crate) fn save(&mut self, task: &Task) -> Result<(), Failure> {
        for artifact in &task.artifacts {
            let key = (task.id.clone(), artifact.artifact_id.clone());
            if self.saved.get(&key) == Some(artifact) {
                continue;
            }
            for (name, bytes) in files(artifact) {
                let path = write_new(&self.dir, &name, &bytes);
                let path = path.map_err(|error| failure(&self.dir.join(&name), &error))?;
                note(&format!("saved {}", path.display()));
            }
            self.saved.insert(key, artifact.clone());
        }
        Ok(())
    }
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot write {}: {error}", path.display()))
}

/// The files of an artifact: one for its text, one for each other part. What is elsewhere stays
/// there.
fn files(artifact: &Artifact) -> Vec<(String, Vec<u8>)> {
    let name = artifact.name.as_deref().unwrap_or(artifact.artifact_id.as_str());
    let texts: String = artifact.parts.iter().filter_map(Part::as_text).collect();
    let mut files = Vec::new();
    if !texts.is_empty() {
        let mut pieces = artifact.parts.iter().filter(|part| part.as_text().is_some());
        let media_type = pieces.find_map(|part| part.media_type.as_deref());
        let ending = media_type.and_then(message::extension).unwrap_or("txt");
        files.push((with_ending(name, ending), texts.into_bytes()));
    }
    for part in &artifact.parts {
        let given = part.filename.as_deref().filter(|name| !name.is_empty());
        match &part.content {
            Content::Text(_) | Content::Url(_) => {}
            Content::Data(data) => {
                let name = given.map_or_else(|| with_ending(name, "json"), fit);
                files.push((name, pretty(data.as_str()).into_bytes()));
            }
            Content::Raw(raw) => {
                let ending = part.media_type.as_deref().and_then(message::extension);
                let name = given.map_or_else(|| with_ending(name, ending.unwrap_or("bin")), fit);
                files.push((name, raw.decode()));
            }
        }
    }
    files
}

fn with_ending(name: &str, ending: &str) -> String {
    let name = fit(name);
    let known = Path::new(&name).extension().and_then(OsStr::to_str);
    if known == Some(ending) { name } else { format!("{name}.{ending}") }
}

/// The last piece of a path as a name that means the same on every system: no directory, nothing
/// hidden, no character that acts, no device, not too long.
fn fit(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|piece| !piece.trim().is_empty()).unwrap_or_default();
    let plain = |character: char| {
        character.is_alphanumeric() || matches!(character, '.' | '-' | '_' | ' ' | '(' | ')' | '+')
    };
    let kept: String =
        last.chars().map(|character| if plain(character) { character } else { '_' }).collect();
    let kept = kept.trim_matches(['.', ' ']);
    let (stem, ending) = match kept.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && ending.chars().count() <= 10 => {
            (stem, Some(ending))
        }
        _ => (kept, None),
    };
    let mut bytes = 0;
    let short = |letter: &char| {
        bytes += letter.len_utf8();
        bytes <= LONGEST
    };
    let stem: String = stem.chars().take_while(short).collect();
    let stem = stem.trim_end_matches(['.', ' ']);
    let stem = if stem.is_empty() { "artifact" } else { stem };
    let guard = if is_device(stem) { "_" } else { "" };
    let ending = ending.map(|ending| format!(".{ending}")).unwrap_or_default();
    format!("{guard}{stem}{ending}")
}

/// Whether Windows takes a name for a device, whatever its ending.
fn is_device(stem: &str) -> bool {
    let stem = stem.split('.').next().unwrap_or_default().trim().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && rest != "0" && rest.parse::<u8>().is_ok())
    };
    matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// Writes a file that was not there before: a link that somebody laid out is not followed.
fn write_new(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) => (stem, format!(".{ending}")),
        None => (name, String::new()),
    };
    for copy in 1..=COPIES {
        let path = match copy {
            1 => dir.join(name),
            _ => dir.join(format!("{stem}-{copy}{ending}")),
        };
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(bytes)?;
                return Ok(path);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many of that name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_strangers_are_made_fit() {
        let long = "x".repeat(5000);
        let longest = "x".repeat(LONGEST);
        let cases = [
            ("report.csv", "report.csv"),
            ("Été 2026 (1).png", "Été 2026 (1).png"),
            ("../../etc/passwd", "passwd"),
            ("/etc/cron.d/job", "job"),
            (r"C:\Windows\win.ini", "win.ini"),
            (r"..\..\x", "x"),
            ("..", "artifact"),
            ("../", "artifact"),
            ("...", "artifact"),
            ("", "artifact"),
            (" / ", "artifact"),
            (".bashrc", "bashrc"),
            ("a\0b\n\x1b[2J.txt", "a_b___2J.txt"),
            ("\u{202e}fdp.exe", "_fdp.exe"),
            ("CON", "_CON"),
            ("con.txt", "_con.txt"),
            ("COM1.log", "_COM1.log"),
            ("common.log", "common.log"),
            ("a:b|c*?.csv", "a_b_c__.csv"),
            ("trailing. . ", "trailing"),
            (&long, &longest),
        ];
        for (name, expected) in cases {
            assert_eq!(fit(name), expected, "{name:?}");
        }
    }

    #[test]
    fn nothing_is_written_over_and_no_link_is_followed() {
        let home = tempfile::tempdir().expect("a directory");
        let (dir, outside) = (home.path().join("in"), home.path().join("outside"));
        fs::create_dir(&dir).expect("new");
        std::os::unix::fs::symlink(&outside, dir.join("a.txt")).expect("a link");
        for expected in ["a-2.txt", "a-3.txt"] {
            let path = write_new(&dir, "a.txt", b"x").expect("room");
            assert_eq!(path, dir.join(expected));
        }
        assert!(!outside.exists());
    }

    #[test]
    fn an_artifact_becomes_files() {
        let artifact: Artifact = serde_json::from_str(
            r#"{"artifactId":"a","name":"Report","parts":[{"text":"one "},{"text":"two"},
            {"data":{"n":1}},{"raw":"aGk=","filename":"../x.csv"},{"raw":"aGk=","mediaType":"image/png"},
            {"url":"https://a/b"}]}"#,
        )
        .expect("an artifact");
        let names: Vec<_> = files(&artifact)
            .into_iter()
            .map(|(name, bytes)| format!("{name}={}", String::from_utf8_lossy(&bytes)))
            .collect();
        let expected =
            ["Report.txt=one two", "Report.json={\n  \"n\": 1\n}", "x.csv=hi", "Report.png=hi"];
        assert_eq!(names, expected);
    }
}
