use super::*;

fn relation(name: &str, parents: &[&str], num_own_columns: u64) -> Relation {
    Relation {
        id: name.to_owned(),
        schema: "s".to_owned(),
        name: name.to_owned(),
        kind: RelationKind::Table,
        num_columns: 2 + num_own_columns,
        num_own_columns,
        parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
        reading: Reading::All,
    }
}

/// Names of the chosen tables, with a `!` where they are read without their child tables.
fn chosen(relations: &[Relation], wanted: &[&str]) -> (Vec<String>, String) {
    let is_wanted = |r: &Relation| wanted.is_empty() || wanted.contains(&r.name.as_str());
    let choice = choose(relations, is_wanted);
    let name = |table: &ChosenTable<'_>| {
        let mark = if table.without_child_tables { "!" } else { "" };
        format!("{}{mark}", table.relation.name)
    };
    (
        choice.tables.iter().map(name).collect(),
        choice.left_out.join("\n"),
    )
}

#[test]
fn a_root_brings_children_that_have_no_columns_of_their_own() {
    let tree = [
        relation("lone", &[], 0),
        relation("p", &[], 0),
        relation("q1", &["p"], 0),
        relation("q2", &["q1"], 0),
    ];
    let (tables, said) = chosen(&tree, &[]);
    assert_eq!(tables, ["lone", "p"]);
    assert!(
        said.contains("2 child tables") && said.contains("s.q1 (with s.p), s.q2 (with s.p)"),
        "{said}"
    );
    // Whoever wants a child alone gets it.
    assert_eq!(chosen(&tree, &["q1", "q2"]).0, ["q1"]);
}

#[test]
fn a_child_with_columns_of_its_own_is_a_table_of_its_own() {
    let tree = [
        relation("p", &[], 0),
        relation("plain", &["p"], 0),
        relation("wide", &["p"], 1),
        relation("wide_child", &["wide"], 0),
    ];
    let (tables, said) = chosen(&tree, &[]);
    assert_eq!(tables, ["p!", "plain", "wide"]);
    assert!(said.contains("s.wide_child (with s.wide)"), "{said}");
    let (tables, said) = chosen(&tree, &["p", "wide"]);
    assert_eq!(tables, ["p!", "wide"]);
    assert!(
        said.contains("stay behind") && said.contains("s.plain"),
        "{said}"
    );
    let (tables, said) = chosen(&tree, &["p"]);
    assert_eq!(tables, ["p"]);
    assert!(said.contains("not their own columns: s.p"), "{said}");
}

#[test]
fn a_child_of_two_parents_is_moved_once() {
    let tree = [
        relation("a", &[], 0),
        relation("b", &[], 0),
        relation("both", &["a", "b"], 0),
    ];
    assert_eq!(chosen(&tree, &[]).0, ["a!", "b!", "both"]);
}

#[test]
fn a_parent_that_is_not_moved_brings_nothing() {
    for change in [
        |parent: &mut Relation| parent.reading = Reading::Nothing,
        |parent: &mut Relation| parent.kind = RelationKind::ForeignTable,
        |parent: &mut Relation| parent.num_columns = 0,
    ] {
        let mut tree = [relation("p", &[], 0), relation("child", &["p"], 0)];
        change(&mut tree[0]);
        let (tables, said) = chosen(&tree, &[]);
        assert_eq!(tables, ["child"]);
        assert!(said.contains("s.p"), "{said}");
    }
}

#[test]
fn foreign_members_of_a_tree_come_along_and_others_stay() {
    let foreign = |mut relation: Relation| {
        relation.kind = RelationKind::ForeignTable;
        relation
    };
    let plain = [relation("p", &[], 0), foreign(relation("far", &["p"], 0))];
    assert_eq!(chosen(&plain, &[]).0, ["p"]);
    let wide = [relation("p", &[], 0), foreign(relation("far", &["p"], 1))];
    assert_eq!(chosen(&wide, &[]).0, ["p!", "far"]);
    let (tables, said) = chosen(&[foreign(relation("far", &[], 0))], &[]);
    assert!(
        tables.is_empty() && said.contains("1 foreign table left out: s.far"),
        "{said}"
    );
}

#[test]
fn what_is_left_out_is_told_by_kind_and_bounded() {
    let mut all: Vec<Relation> = (0..25)
        .map(|n| relation(&format!("v{n}"), &[], 0))
        .collect();
    all.iter_mut().for_each(|r| r.kind = RelationKind::View);
    let mut late = relation("late", &[], 0);
    late.kind = RelationKind::LateBindingView;
    all.push(late);
    let (tables, said) = chosen(&all, &[]);
    assert!(tables.is_empty());
    assert!(
        said.contains("25 views left out: s.v0, ") && said.contains("and 15 more"),
        "{said}"
    );
    assert!(
        said.contains("1 late-binding view left out: s.late; the catalog"),
        "{said}"
    );
}
