//! Against a list in the order of use.

use std::time::Duration;

use super::*;

#[test]
fn it_is_a_list_in_the_order_of_use() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut table: Table<u8, u32> = Table::default();
    let mut list: Vec<(u8, u32, Instant)> = Vec::new();
    let start = Instant::now();
    for step in 0..20_000_u32 {
        let now = start + Duration::from_millis(step.into());
        let key = random.u8(..24);
        let at = list.iter().position(|(known, ..)| *known == key);
        match (random.u8(..4), at) {
            (0, _) => {
                table.insert(key, step, now);
                if let Some(at) = at {
                    list.remove(at);
                }
                list.push((key, step, now));
            }
            (1, Some(at)) => {
                let id = table.find(&key).expect("there");
                assert_eq!(table.remove(id), Some(list.remove(at).1));
                assert_eq!(table.remove(id), None);
            }
            (_, Some(at)) => {
                let id = table.find(&key).expect("there");
                table.touch(id, now);
                let (_, value, _) = list.remove(at);
                assert_eq!(table.get_mut(id), Some(&mut value.clone()));
                list.push((key, value, now));
            }
            (_, None) => assert_eq!(table.find(&key), None),
        }
        assert_eq!(
            (table.len(), table.is_empty()),
            (list.len(), list.is_empty())
        );
        let oldest = table.oldest();
        let first = list.first();
        assert_eq!(
            oldest.map(|(_, used)| used),
            first.map(|(_, _, used)| *used)
        );
        let value = oldest.and_then(|(id, _)| table.get_mut(id).copied());
        assert_eq!(value, first.map(|(_, value, _)| *value));
    }
    assert_eq!(table.which(|_| true).len(), list.len());
    while let Some((id, _)) = table.oldest() {
        assert_eq!(table.remove(id), Some(list.remove(0).1));
    }
    assert!(list.is_empty() && table.is_empty());
}
