//! What a category is, and the tree of all of them.

use std::collections::{HashMap, HashSet};

use tradewind::catalog::v1::Category;

use crate::error::Error;

/// Makes a new category; whether its parent is there is the store's to say.
pub(crate) fn new(mut category: Category) -> Category {
    category.id = String::new();
    category
}

/// Puts a category in the place of what it was: below a parent of the tree that is not below itself.
pub(crate) fn changed(tree: &[Category], mut category: Category) -> Result<Category, Error> {
    let parents: HashMap<&str, &str> =
        tree.iter().map(|known| (known.id.as_str(), known.parent_id.as_str())).collect();
    let was = tree.iter().find(|known| known.id == category.id);
    let was = was.ok_or_else(|| Error::CategoryNotFound(category.id.clone()))?;
    let mut above = category.parent_id.as_str();
    if !above.is_empty() && !parents.contains_key(above) {
        return Err(Error::UnknownParent(above.into()));
    }
    while !above.is_empty() {
        if above == category.id {
            return Err(Error::CategoryCycle(category.id));
        }
        above = parents.get(above).copied().unwrap_or_default();
    }
    category.create_time = was.create_time;
    category.update_time = was.update_time;
    Ok(category)
}

/// Categories as a tree is read: each with its branch right after it, siblings by position and title.
pub(crate) fn ordered(categories: Vec<Category>) -> Vec<Category> {
    let ids: HashSet<String> = categories.iter().map(|category| category.id.clone()).collect();
    let mut children: HashMap<String, Vec<Category>> = HashMap::new();
    for category in categories {
        // One whose parent was deleted meanwhile is shown at the top rather than nowhere.
        let known = ids.contains(&category.parent_id);
        let parent = if known { category.parent_id.clone() } else { String::new() };
        children.entry(parent).or_default().push(category);
    }
    for siblings in children.values_mut() {
        // The last is taken first.
        siblings.sort_by(|one, other| {
            (other.position, &other.title, &other.id).cmp(&(one.position, &one.title, &one.id))
        });
    }
    let mut ordered = Vec::with_capacity(ids.len());
    let mut path = vec![children.remove("").unwrap_or_default()];
    while let Some(siblings) = path.last_mut() {
        let Some(category) = siblings.pop() else {
            path.pop();
            continue;
        };
        let below = children.remove(&category.id);
        ordered.push(category);
        path.extend(below);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(id: &str, parent_id: &str, position: i32) -> Category {
        Category { id: id.into(), parent_id: parent_id.into(), position, ..Category::default() }
    }

    fn tree() -> Vec<Category> {
        vec![
            category("socks", "clothes", 1),
            category("tea", "", 0),
            category("clothes", "", 1),
            category("shirts", "clothes", 0),
            category("wool", "socks", 0),
        ]
    }

    #[test]
    fn a_branch_follows_its_parent() {
        let ordered = ordered(tree());

        let ids: Vec<_> = ordered.iter().map(|category| category.id.as_str()).collect();
        assert_eq!(ids, ["tea", "clothes", "shirts", "socks", "wool"]);
    }

    #[test]
    fn a_category_never_moves_below_itself() {
        let below_itself = changed(&tree(), category("clothes", "wool", 0));
        let own_parent = changed(&tree(), category("tea", "tea", 0));
        let elsewhere = changed(&tree(), category("socks", "tea", 0)).unwrap();

        assert!(matches!(below_itself, Err(Error::CategoryCycle(_))));
        assert!(matches!(own_parent, Err(Error::CategoryCycle(_))));
        assert_eq!(elsewhere.parent_id, "tea");
    }

    #[test]
    fn a_parent_must_be_there() {
        let moved = changed(&tree(), category("tea", "coffee", 0));

        assert!(matches!(moved, Err(Error::UnknownParent(_))));
    }
}
