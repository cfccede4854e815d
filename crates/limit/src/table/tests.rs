use super::*;

fn add(table: &Table, key: u64, more: u64) -> Changed<u64> {
    let change = |word| (Some(word + more), word + more);
    table.change(key, change, |word| word)
}

/// Keys of one set.
fn of_one_set(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|number| number << 32)
}

#[test]
fn each_key_has_its_own_word() {
    let table = Table::new(1 << 16);
    for key in 0..1_000 {
        assert_eq!(
            add(&table, key, key + 1).result,
            if key == 1 { 3 } else { key + 1 }
        );
    }
    assert_eq!(table.get(7), 8);
    assert_eq!(table.get(5_000), 0);
    table.change_known(7, |word| word - 8);
    assert_eq!(table.get(7), 0);
    table.change_known(5_000, |_| panic!("nobody knows it"));
}

#[test]
fn what_says_nothing_changes_nothing() {
    let table = Table::new(8);
    let refused = table.change(1, |word| (None, word), |word| word);
    assert_eq!((refused.result, table.get(1)), (0, 0));
    add(&table, 1, 5);
    let refused = table.change(1, |word| (None, word), |word| word);
    assert_eq!((refused.result, table.get(1)), (5, 5));
}

#[test]
fn who_has_least_makes_room() {
    let table = Table::new(8);
    for (key, debt) in of_one_set(8).zip([9, 5, 7, 3, 8, 4, 6, 2]) {
        assert!(!add(&table, key, debt).forgot, "there is room");
    }
    let mut keys = of_one_set(12).skip(8);
    let newcomer = keys.next().expect("a key");
    assert!(add(&table, newcomer, 10).forgot);
    assert_eq!(table.get(8 << 32), 0, "the one that had 2");
    assert_eq!(table.get(4 << 32), 3);
    assert!(add(&table, keys.next().expect("a key"), 10).forgot);
    assert_eq!(table.get(4 << 32), 0, "the one that had 3");
    assert_eq!(table.get(1 << 32), 9);
}

#[test]
fn who_has_nothing_to_lose_is_not_missed() {
    let table = Table::new(8);
    for key in of_one_set(100) {
        let change = |word| (Some(word + 1), ());
        assert!(!table.change(key, change, |_| 0).forgot);
    }
}

#[test]
fn threads_that_meet_at_new_keys_lose_nothing() {
    let table = Table::new(1 << 12);
    let keys = 500;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for turn in 0..keys * 20 {
                    add(&table, turn % keys, 1);
                }
            });
        }
    });
    // The keys 0 and 1 are one.
    let total: u64 = (1..keys).map(|key| table.get(key)).sum();
    assert_eq!(total, 8 * 20 * keys);
}
