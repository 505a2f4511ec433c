//! Files of the configuration that change, in all the ways in which files do.

use super::{
    harness::{Folder, GATEWAY, Gateway, answering, virtual_service},
    reload::put_at,
};
use std::{fs, os::unix::fs::symlink, path::Path};

fn answer(text: &str) -> String {
    virtual_service(&format!("  - directResponse: {{status: 200, body: {{string: {text:?}}}}}"))
}

/// A gateway whose VirtualServices are in a directory.
fn start(directory: &Path) -> Gateway {
    let directory = directory.to_str().unwrap();
    Gateway::start_with(&[80], GATEWAY, &["-c", directory, "--log-level", "debug"])
}

fn until_it_says(gateway: &Gateway, text: &str) {
    gateway.until(text, || gateway.get(80, "web.test", "/").text() == text);
}

#[test]
fn files_are_written_replaced_added_and_deleted() {
    let folder = Folder::new();
    folder.put("a.yaml", &answer("one"));
    let gateway = start(folder.path());
    until_it_says(&gateway, "one");
    // In place.
    folder.put("a.yaml", &answer("two"));
    let said = gateway.said("files changed: generation 2: ");
    assert!(!said.contains(" error "), "{said}");
    until_it_says(&gateway, "two");
    // As editors do.
    put_at(&folder.path().join("a.yaml"), &answer("three"));
    gateway.said("files changed: generation 3: ");
    until_it_says(&gateway, "three");
    // One more, one less.
    folder.put("b.yaml", &answer("four").replace("name: vs", "name: other").replace("\"*\"", "b.test"));
    gateway.said("files changed: generation 4: hosts 1 -> 2");
    assert_eq!(gateway.get(80, "b.test", "/").text(), "four");
    fs::remove_file(folder.path().join("b.yaml")).unwrap();
    gateway.said("files changed: generation 5: hosts 2 -> 1");
    assert_eq!(gateway.get(80, "b.test", "/").text(), "three");
    // Written, and the same.
    folder.put("a.yaml", &answer("three"));
    gateway.said("the files are what they were: generation 5 stays in use");
    // What is no part of it.
    folder.put("notes.txt", "x");
    folder.put("a.yaml", &answer("six"));
    gateway.said("files changed: generation 6: ");
    gateway.stop();
}

#[test]
fn half_a_file_changes_nothing_until_the_rest_is_there() {
    let folder = Folder::new();
    folder.put("a.yaml", &answer("one"));
    let gateway = start(folder.path());
    let whole = answer("two") + "---\nkind: {";
    folder.put("a.yaml", &whole);
    gateway.said("files changed: the configuration has 1 error: generation 1 stays in use");
    assert_eq!(gateway.metric("sluicegate_configuration_last_load_successful"), 0.0);
    until_it_says(&gateway, "one");
    // Back to what it was: there is nothing to be loaded, and nothing wrong any more.
    folder.put("a.yaml", &answer("one"));
    gateway.said("files changed: the files are again what is served, generation 1");
    assert_eq!(gateway.metric("sluicegate_configuration_last_load_successful"), 1.0);
    folder.put("a.yaml", &whole);
    gateway.said("generation 1 stays in use");
    folder.put("a.yaml", &answer("two"));
    gateway.said("files changed: generation 2: ");
    until_it_says(&gateway, "two");
    gateway.stop();
}

#[test]
fn a_directory_that_is_gone_or_empty_takes_nothing_away() {
    let folder = Folder::new();
    let at = folder.path().join("configuration");
    let put = |text: &str| {
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("a.yaml"), answer(text)).unwrap();
    };
    put("one");
    let gateway = start(&at);
    fs::remove_dir_all(&at).unwrap();
    let said = gateway.said("generation 1 stays in use");
    assert!(said.contains("can't be read") || said.contains("has none now"), "{said}");
    until_it_says(&gateway, "one");
    put("two");
    gateway.said("files changed: generation 2: ");
    until_it_says(&gateway, "two");
    fs::remove_file(at.join("a.yaml")).unwrap();
    gateway.said("had files and has none now");
    gateway.said("generation 2 stays in use");
    until_it_says(&gateway, "two");
    put("three");
    gateway.said("files changed: generation 3: ");
    // A disk that is full makes files empty.
    fs::write(at.join("a.yaml"), "").unwrap();
    gateway.said("had something in it and is empty now");
    until_it_says(&gateway, "three");
    put("four");
    gateway.said("files changed: generation 4: ");
    gateway.stop();
}

/// A volume as Kubernetes mounts a ConfigMap: files are links through `..data`, which is replaced.
fn mount(at: &Path, number: u8) {
    let version = at.join(format!("..{number}"));
    fs::create_dir(&version).unwrap();
    fs::write(version.join("a.yaml"), answer(&number.to_string())).unwrap();
    symlink(format!("..{number}"), at.join("..new")).unwrap();
    fs::rename(at.join("..new"), at.join("..data")).unwrap();
    if let Some(before) = number.checked_sub(1) {
        let _ = fs::remove_dir_all(at.join(format!("..{before}")));
    }
}

#[test]
fn a_volume_of_kubernetes_is_replaced() {
    let folder = Folder::new();
    mount(folder.path(), 0);
    symlink("..data/a.yaml", folder.path().join("a.yaml")).unwrap();
    let gateway = start(folder.path());
    for number in 1..4 {
        mount(folder.path(), number);
        let said = gateway.said(&format!("files changed: generation {}: ", number + 1));
        assert!(!said.contains(" error "), "{said}");
        until_it_says(&gateway, &number.to_string());
    }
    gateway.stop();
}

#[test]
fn a_link_to_a_directory_leads_elsewhere() {
    let folder = Folder::new();
    for name in ["one", "two"] {
        fs::create_dir_all(folder.path().join(name).join("in")).unwrap();
        fs::write(folder.path().join(name).join("in/a.yaml"), answer(name)).unwrap();
    }
    let link = |to: &str| {
        symlink(to, folder.path().join("new")).unwrap();
        fs::rename(folder.path().join("new"), folder.path().join("current")).unwrap();
    };
    link("one");
    let gateway = start(&folder.path().join("current/in"));
    link("two");
    gateway.said("files changed: generation 2: ");
    until_it_says(&gateway, "two");
    // It is the new one that is watched.
    fs::write(folder.path().join("two/in/a.yaml"), answer("three")).unwrap();
    gateway.said("files changed: generation 3: ");
    until_it_says(&gateway, "three");
    gateway.stop();
}

#[test]
fn nothing_is_loaded_that_nobody_asks_for() {
    let folder = Folder::new();
    folder.put("a.yaml", &answer("one"));
    let directory = folder.path().to_str().unwrap();
    let gateway = Gateway::start_with(&[80], GATEWAY, &["-c", directory, "--watch", "off"]);
    folder.put("a.yaml", &answer("two"));
    gateway.signal("HUP");
    gateway.said("SIGHUP: generation 2: ");
    until_it_says(&gateway, "two");
    assert!(!gateway.said_so_far().contains("files changed"));
    gateway.stop();
}

#[test]
fn a_single_file_is_followed_too() {
    let gateway = Gateway::start(&[80], &answering("one"));
    put_at(&gateway.directory().join("config.yaml"), &answering("two"));
    gateway.said("files changed: generation 2: ");
    until_it_says(&gateway, "two");
    fs::remove_file(gateway.directory().join("config.yaml")).unwrap();
    gateway.said("generation 2 stays in use");
    put_at(&gateway.directory().join("config.yaml"), &answering("three"));
    gateway.said("files changed: generation 3: ");
    until_it_says(&gateway, "three");
    gateway.stop();
}
