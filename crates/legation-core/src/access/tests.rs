use legation_model::{Json, Part};

use super::*;
use crate::{Agent, AgentError, Names, OnRestart, Scopes, Turn};

/// Finds the skill that a message's text names behind `find `.
struct Finder;

#[async_trait::async_trait]
impl Agent for Finder {
    async fn execute(&self, _turn: &mut Turn) -> Result<(), AgentError> {
        Ok(())
    }

    fn skill(&self, message: &Message) -> Option<String> {
        message.text().strip_prefix("find ").map(str::to_owned)
    }

    fn on_restart(&self) -> OnRestart {
        OnRestart::Fail
    }
}

fn skill(id: &str) -> AgentSkill {
    AgentSkill { id: id.into(), ..AgentSkill::default() }
}

/// `open` is for everybody, `paid` for a scope, `led` for a role, `ours` for a tenant; `secret`
/// is hidden and for a scope, `known` is hidden and for whoever is known.
fn exposed(without_skill: Option<Needs>) -> Exposed {
    let ours = Expression::new("caller.tenant == 'us' && skill == 'ours'").expect("an expression");
    let access = Access {
        needs: vec![
            ("paid".into(), Needs { scopes: vec!["pay".into()], ..Needs::default() }),
            ("led".into(), Needs { roles: vec!["lead".into(), "boss".into()], ..Needs::default() }),
            ("ours".into(), Needs { allow: Some(ours), ..Needs::default() }),
            ("secret".into(), Needs { scopes: vec!["secret".into()], ..Needs::default() }),
        ],
        extended_skills: vec![skill("secret"), skill("known")],
        without_skill,
        extended_card: true,
    };
    let skills = ["open", "paid", "led", "ours"].map(skill).into();
    let profile = Profile { access, skills, ..Profile::new("finder", "Finder", "Finds") };
    Exposed { profile: Arc::new(profile), agent: Arc::new(Finder) }
}

fn names(all: &[&str]) -> Names {
    all.iter().map(|name| Arc::from(*name)).collect()
}

/// Somebody without a right, one with each of them, one with any, and nobody in particular.
fn caller(who: &str) -> Caller {
    let nobody = Caller { scopes: Scopes::Only(names(&["send"])), ..Caller::new("t", who) };
    let known = Caller { scheme: "bearer".into(), ..nobody.clone() };
    match who {
        "payer" => Caller { scopes: Scopes::Only(names(&["send", "pay"])), ..known },
        "lead" => Caller { roles: names(&["boss"]), ..known },
        "us" => Caller { tenant: "us".into(), ..known },
        "agent" => Caller { scopes: Scopes::Only(names(&["secret"])), ..known },
        "all" => {
            Caller { scopes: Scopes::All, roles: names(&["lead"]), tenant: "us".into(), ..known }
        }
        "nobody" => Caller { scopes: Scopes::All, ..nobody },
        _ => known,
    }
}

fn metadata(text: &str) -> Option<Metadata> {
    (!text.is_empty()).then(|| Metadata::new(Json::parse(text).expect("JSON")).expect("an object"))
}

fn message(text: &str, about: &str) -> Message {
    Message { metadata: metadata(about), ..Message::new(Role::User, vec![Part::text(text)]) }
}

/// What becomes of a message: `ok`, or the kind of the error with its scope and field.
fn outcome(
    exposed: &Exposed,
    who: &str,
    (text, about, beside): (&str, &str, &str),
    history: &[Message],
) -> String {
    let beside = metadata(beside);
    let asked = (&message(text, about), beside.as_ref());
    match check(&caller(who), exposed, asked, || history.to_vec()) {
        Ok(()) => "ok".into(),
        Err(Refused { error, .. }) => {
            let scope = error.metadata.first().map(|(_, scope)| scope.as_str());
            let field = error.violations.first().map(|violation| violation.field.as_str());
            let told: Vec<_> = scope.into_iter().chain(field).collect();
            format!("{:?} {}", error.kind, told.join(" ")).trim().to_owned()
        }
    }
}

#[test]
fn a_skill_is_for_those_who_have_what_it_needs() {
    let exposed = exposed(None);
    let (unknown, denied) = ("InvalidParams message.metadata.skillId", "PermissionDenied");
    let cases = [
        ("one", "open", "ok"),
        ("one", "paid", "PermissionDenied pay"),
        ("payer", "paid", "ok"),
        ("payer", "led", denied),
        ("lead", "led", "ok"),
        ("lead", "ours", denied),
        ("us", "ours", "ok"),
        ("all", "paid", "ok"),
        ("agent", "secret", "ok"),
        ("all", "secret", "ok"),
        // What is hidden from a caller is not there.
        ("one", "secret", unknown),
        ("one", "nothing", unknown),
        ("all", "nothing", unknown),
        ("one", "known", "ok"),
        ("nobody", "known", unknown),
        ("nobody", "secret", unknown),
        // The names that a crew's card has.
        ("one", "finder/open", "ok"),
        ("one", "finder/paid", "PermissionDenied pay"),
        ("one", "finder/secret", unknown),
        ("one", "finder", denied),
        ("all", "finder", "ok"),
    ];
    for (who, skill, expected) in cases {
        let named = format!(r#"{{"skillId":"{skill}"}}"#);
        assert_eq!(outcome(&exposed, who, ("x", &named, ""), &[]), expected, "{who} {skill}");
    }
    let hidden = |skill: &str| {
        let named = format!(r#"{{"skillId":"{skill}"}}"#);
        let asked = (&message("x", &named), None);
        let error = check(&caller("one"), &exposed, asked, Vec::new).expect_err("not there").error;
        format!("{error:?}").replace(skill, "#")
    };
    assert_eq!(hidden("secret"), hidden("nothing"));
}

#[test]
fn a_skill_is_named_in_one_way() {
    let exposed = exposed(None);
    let cases = [
        (r#"{"skill_id":"open"}"#, "", "ok"),
        ("", r#"{"skillId":"open"}"#, "ok"),
        ("", r#"{"skill_id":"paid"}"#, "PermissionDenied pay"),
        (r#"{"skillId":"open","skill_id":"open"}"#, r#"{"skillId":"open"}"#, "ok"),
        (r#"{"skillId":"open","skill_id":"paid"}"#, "", "InvalidParams message.metadata.skill_id"),
        (r#"{"skillId":"open"}"#, r#"{"skillId":"paid"}"#, "InvalidParams metadata.skillId"),
        (r#"{"skillId":["open"]}"#, "", "InvalidParams message.metadata.skillId"),
        ("", r#"{"skillId":null}"#, "InvalidParams metadata.skillId"),
    ];
    for (about, beside, expected) in cases {
        assert_eq!(
            outcome(&exposed, "one", ("x", about, beside), &[]),
            expected,
            "{about}{beside}"
        );
    }
}

#[test]
fn what_the_agent_finds_counts_as_well() {
    let exposed = exposed(None);
    let cases = [
        ("one", "find open", "", "ok"),
        ("one", "find paid", "", "PermissionDenied pay"),
        ("payer", "find paid", "", "ok"),
        ("one", "find paid", r#"{"skillId":"open"}"#, "PermissionDenied pay"),
        ("one", "find open", r#"{"skillId":"paid"}"#, "PermissionDenied pay"),
        ("one", "find secret", "", "PermissionDenied"),
        ("agent", "find secret", "", "ok"),
        // The agent finds no skill that there is.
        ("one", "find nothing", "", "PermissionDenied"),
        ("all", "find nothing", "", "ok"),
    ];
    for (who, text, about, expected) in cases {
        assert_eq!(
            outcome(&exposed, who, (text, about, ""), &[]),
            expected,
            "{who} {text} {about}"
        );
    }
}

#[test]
fn a_message_for_no_skill_needs_what_all_do_unless_somebody_says_otherwise() {
    let pay = Needs { scopes: vec!["pay".into()], ..Needs::default() };
    let cases = [
        (None, "one", "PermissionDenied"),
        (None, "payer", "PermissionDenied"),
        (None, "all", "ok"),
        (None, "nobody", "PermissionDenied"),
        (Some(Needs::default()), "one", "ok"),
        (Some(pay.clone()), "one", "PermissionDenied pay"),
        (Some(pay), "payer", "ok"),
    ];
    for (without_skill, who, expected) in cases {
        let exposed = exposed(without_skill.clone());
        assert_eq!(outcome(&exposed, who, ("x", "", ""), &[]), expected, "{without_skill:?} {who}");
    }
}

#[test]
fn a_task_goes_on_with_the_skill_that_was_named_last() {
    let exposed = exposed(None);
    let user = |skill: &str| message("x", &format!(r#"{{"skillId":"{skill}"}}"#));
    let agent = Message { role: Role::Agent, ..user("open") };
    let cases = [
        (vec![user("open")], "ok"),
        (vec![user("paid"), user("open")], "ok"),
        (vec![user("open"), user("paid"), message("x", "")], "PermissionDenied pay"),
        (vec![agent], "PermissionDenied"),
        (vec![user("secret")], "PermissionDenied"),
        (vec![], "PermissionDenied"),
    ];
    for (history, expected) in cases {
        assert_eq!(outcome(&exposed, "one", ("x", "", ""), &history), expected, "{history:?}");
    }
    let renamed = outcome(&exposed, "one", ("x", r#"{"skillId":"open"}"#, ""), &[user("paid")]);
    assert_eq!(renamed, "ok");
}

#[test]
fn an_agent_whose_skills_are_for_everybody_takes_any_name() {
    let profile = Profile::new("finder", "Finder", "Finds");
    let exposed = Exposed { profile: Arc::new(profile), agent: Arc::new(Finder) };
    for about in ["", r#"{"skillId":"nothing"}"#, r#"{"skillId":5}"#] {
        assert_eq!(outcome(&exposed, "nobody", ("x", about, ""), &[]), "ok", "{about}");
    }
}

#[test]
fn expressions_say_what_is_true_of_callers() {
    let claims = r#"{"org":{"unit":"finance"},"level":3,"groups":["a","b"],"vip":true}"#;
    let known = Caller {
        claims: Some(Json::parse(claims).expect("JSON")),
        roles: names(&["lead"]),
        ..caller("payer")
    };
    let cases = [
        ("true", true),
        ("caller.tenant == 't' && caller.subject == 'payer'", true),
        ("caller.scheme == 'bearer'", true),
        ("'pay' in caller.scopes", true),
        ("'*' in caller.scopes", false),
        ("'lead' in caller.roles && agent == 'a' && skill == 's'", true),
        ("caller.claims.org.unit == 'finance'", true),
        ("caller.claims['org'].unit.startsWith('fin')", true),
        ("caller.claims.level >= 3 && caller.claims.level == 3", true),
        ("caller.claims.vip", true),
        ("caller.claims.groups.exists(group, group == 'b')", true),
        ("caller.claims.groups.all(group, group == 'b')", false),
        ("has(caller.claims.missing)", false),
        ("!has(caller.claims.missing)", true),
        // What cannot be told is not true.
        ("caller.claims.missing == 'x'", false),
        ("caller.claims.missing != 'x'", false),
        ("caller.claims.level == 'three' || caller.claims.level", false),
        ("caller.claims.org", false),
        ("caller.claims.level > 'x'", false),
        ("size(caller.claims.groups) == 2", true),
    ];
    for (text, expected) in cases {
        let expression = Expression::new(text).unwrap_or_else(|bad| panic!("{text}: {bad}"));
        assert_eq!(expression.holds(&known, "a", "s"), expected, "{text}");
    }
    // The deepest that is taken, on the stack of any thread.
    let sum = format!("{} == '{}'", ["'x'"; 30].join(" + "), "x".repeat(30));
    let lists = format!("size({}{}) == 1", "[".repeat(20), "1".to_owned() + &"]".repeat(20));
    for text in [sum, lists] {
        let expression = Expression::new(&text).unwrap_or_else(|bad| panic!("{text}: {bad}"));
        assert!(expression.holds(&known, "a", "s"), "{text}");
    }
    let all = Expression::new("'*' in caller.scopes && caller.claims == {}").expect("good");
    assert!(all.holds(&caller("all"), "a", "s"));
}

#[test]
fn expressions_that_are_not_taken_say_why() {
    let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
    let lists = format!("{}{} == agent", "[".repeat(60), "]".repeat(60));
    let long = format!("'{}' == agent", "x".repeat(2_100));
    let sums = format!("agent == {}", ["'x'"; 60].join(" + "));
    let cases = [
        ("", "at column"),
        ("caller.tenant ==", "at column 17"),
        ("caller.tenant = 'x'", "at column 15"),
        ("true &&\n  (", "line 2"),
        ("caler.tenant == 'x'", "it speaks of `caler`"),
        ("caller.tennant == 'x'", "not `tennant`"),
        ("agent.matches('x')", "there is no `matches` here"),
        ("now() > 5", "there is no `now` here"),
        ("[1,2].all(a, [1,2].all(b, a == b))", "a list within another"),
        ("caller.roles.map(role, role) == []", "`map` and `filter` are not taken"),
        ("size(caller.roles.filter(role, role != '')) > 0", "`map` and `filter` are not taken"),
        (&deep, ""),
        (&lists, ""),
        (&sums, "nests deeper"),
        (&long, "more than 2048 bytes"),
    ];
    for (text, expected) in cases {
        let bad = Expression::new(text).expect_err(text).to_string();
        assert!(bad.contains(expected), "{text:.40}: {bad}");
    }
}
