use super::*;
use proptest::prelude::*;

const ALL: [Platform; 3] = [
    Platform::Redshift,
    Platform::Postgresql,
    Platform::Sqlserver,
];

#[test]
fn closed_predicates_are_accepted() {
    for text in [
        "is_deleted = 0",
        "note = 'a;b) -- ''' AND (x > 1 OR \"od;d(\" = 2)",
        "a = 1 -- why",
        "a = 1 -- why\r\n AND b = 2 -- why\r",
        "a = 1 /* ( ' /* nested */ */",
        "price - -1 > 0",
    ] {
        for platform in ALL {
            assert_eq!(
                check(text, Piece::Predicate, platform),
                Ok(()),
                "{text} on {platform}"
            );
        }
    }
    assert_eq!(
        check("[a;b]]c(] = 1", Piece::Predicate, Platform::Sqlserver),
        Ok(())
    );
    assert_eq!(
        check(
            r"a = E'it\'s;' AND b = $$;'$$ AND c$d = 1",
            Piece::Predicate,
            Platform::Postgresql
        ),
        Ok(())
    );
    assert_eq!(
        check(r"path = 'C:\'", Piece::Predicate, Platform::Postgresql),
        Ok(())
    );
    assert_eq!(
        check(r"path = 'C:\'", Piece::Predicate, Platform::Sqlserver),
        Ok(())
    );
}

#[test]
fn what_the_driver_would_take_for_a_parameter_is_refused_with_what_to_write() {
    for (text, instead) in [
        ("data ? 'vip'", "jsonb_exists(data, "),
        ("data ?| array['a']", "jsonb_exists_any("),
        ("data?&array['a']", "jsonb_exists_all("),
        ("data @? '$.a'", "jsonb_path_exists("),
        ("a ?-| b", "oprname = '?-|'"),
        ("?- a", "oprname = '?-'"),
        ("a operator(pg_catalog.?) 'x'", "jsonb_exists("),
        ("a = $x_y$ ? $x_y$", "without a tag"),
    ] {
        for piece in [Piece::Predicate, Piece::Expression, Piece::Modifier] {
            let problem = check(text, piece, Platform::Postgresql).expect_err(text);
            assert!(problem.contains(instead), "{text}: {problem}");
        }
        assert!(check(text, Piece::Predicate, Platform::Redshift).is_err());
    }
    for text in [
        "a = '?' AND \"b?\" = $$?$$ -- ?",
        "a = 1 /* ? */ AND b = U&'\\003F ?'",
        r"a = E'it\'s ?'",
        "d > {d '2024-01-01'} AND {fn lower(a)} = 'x' AND t > { ts '2024-01-01 00:00:00' }",
        "tags && '{a,b}'",
    ] {
        assert_eq!(
            check(text, Piece::Predicate, Platform::Postgresql),
            Ok(()),
            "{text}"
        );
    }
    for text in [
        "a > {x}",
        "{",
        "}",
        "a > {d '2024-01-01'",
        "{d {d '2024-01-01'}}",
    ] {
        for platform in [Platform::Redshift, Platform::Postgresql] {
            assert!(check(text, Piece::Predicate, platform).is_err(), "{text}");
        }
    }
}

#[test]
fn what_reaches_beyond_its_place_is_refused() {
    for text in [
        "",
        " \n",
        "-- only a comment",
        "/**/",
        "1=1; DROP TABLE t",
        "a = 1) OR (1 = 1",
        "(a = 1",
        "a = 'open",
        "\"open",
        "/* open",
        "a\0",
        // PostgreSQL's comment ends at the carriage return.
        "a = 1 --\r OR b ;= 2",
    ] {
        for platform in ALL {
            assert!(
                check(text, Piece::Predicate, platform).is_err(),
                "{text} on {platform}"
            );
        }
    }
    assert!(check("[open", Piece::Predicate, Platform::Sqlserver).is_err());
    assert!(check("a = $x$ open", Piece::Predicate, Platform::Postgresql).is_err());
    for text in [
        "note = $😀$'$😀$) OR (1=1 --'",
        "EXISTS (SELECT 1 AS 😀$$) ); DROP TABLE t; /*$$) --*/",
        r"a = 😀E'\'' OR ';'",
        "a = \u{a0}$$ ; '$$ OR b = '",
    ] {
        for platform in [Platform::Redshift, Platform::Postgresql] {
            assert!(check(text, Piece::Predicate, platform).is_err(), "{text}");
        }
    }
    // Ends the literal or not, depending on a setting of the server.
    assert!(check(r"a = '\' OR 1=1 --'", Piece::Predicate, Platform::Redshift).is_err());
    assert!(check(r"a = E'\'' OR ';'", Piece::Predicate, Platform::Sqlserver).is_err());
    // One literal on two lines, with escapes in both.
    for between in ["\n", " -- why\n", "\n/* why */\n"] {
        let text = format!(r"a = E'x'{between}'\''; DROP TABLE t --'");
        assert!(check(&text, Piece::Predicate, Platform::Postgresql).is_err());
    }
}

#[test]
fn modifiers_may_be_empty_or_comments_that_end() {
    for platform in ALL {
        for good in ["", " ", " WITH (NOLOCK)", "/*+ PARALLEL(4) */", "TOP 10"] {
            assert_eq!(check(good, Piece::Modifier, platform), Ok(()), "{good}");
        }
        for bad in ["TOP 1 -- why", "x; DROP", "(a", "a)", "/* open", "a\0"] {
            assert!(check(bad, Piece::Modifier, platform).is_err(), "{bad}");
        }
    }
}

#[test]
fn an_expression_is_not_empty() {
    for bad in ["", "/* */", "max(x", "max(x))", "max(x); y"] {
        assert!(
            check(bad, Piece::Expression, Platform::Redshift).is_err(),
            "{bad}"
        );
    }
    assert_eq!(
        check("max(x)", Piece::Expression, Platform::Redshift),
        Ok(())
    );
}

proptest! {
    #[test]
    fn literals_hide_everything(text in "\\PC{0,30}") {
        let literal = format!("a = '{}'", text.replace('\\', "").replace('\'', "''"));
        for platform in ALL {
            prop_assert_eq!(check(&literal, Piece::Predicate, platform), Ok(()));
        }
    }

    #[test]
    fn nothing_panics(text in "[a$'\"\\[\\]()/*\\\\; E\\-é\n]{0,40}") {
        for platform in ALL {
            let _ = check(&text, Piece::Predicate, platform);
        }
    }
}
