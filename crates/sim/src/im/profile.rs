//! Profiles: `portrait_set`, `portrait_get` (§3.8).

use std::sync::Arc;

use serde_json::{Value, json};

use super::api::Done;
use super::{Account, Refused, callbacks, ok};
use crate::world::World;

const NICK: &str = "Tag_Profile_IM_Nick";
const IMAGE: &str = "Tag_Profile_IM_Image";
/// The longest text of a profile, in bytes.
const LONGEST: usize = 500;
const MOST: usize = 100;

/// Whether the value is one that the tag may have.
fn check(tag: &str, value: &Value, custom: &[String]) -> Result<(), Refused> {
    let text = |most: usize| match value.as_str() {
        Some(text) if text.len() > most => Err(Refused::new(40601)),
        Some(_) => Ok(()),
        None => Err(Refused::new(40605)),
    };
    let one_of = |words: &[&str]| {
        if value.as_str().is_some_and(|text| words.contains(&text)) {
            Ok(())
        } else {
            Err(Refused::new(40605))
        }
    };
    match tag {
        NICK | IMAGE | "Tag_Profile_IM_SelfSignature" => text(LONGEST),
        "Tag_Profile_IM_Location" => text(16),
        "Tag_Profile_IM_Gender" => one_of(&["Gender_Type_Unknown", "Gender_Type_Female", "Gender_Type_Male"]),
        "Tag_Profile_IM_AllowType" => {
            one_of(&["AllowType_Type_NeedConfirm", "AllowType_Type_AllowAny", "AllowType_Type_DenyAny"])
        }
        "Tag_Profile_IM_AdminForbidType" => one_of(&["AdminForbid_Type_None", "AdminForbid_Type_SendOut"]),
        "Tag_Profile_IM_BirthDay"
        | "Tag_Profile_IM_Language"
        | "Tag_Profile_IM_Level"
        | "Tag_Profile_IM_Role" => {
            if value.as_u64().is_some_and(|n| u32::try_from(n).is_ok()) {
                Ok(())
            } else {
                Err(Refused::new(40605))
            }
        }
        // Made in the console first.
        _ if custom.iter().any(|known| known == tag) => text(LONGEST),
        _ => Err(Refused::new(40009)),
    }
}

fn get(account: &Account, tag: &str) -> Option<Value> {
    match tag {
        NICK => Some(account.nick.as_str().into()),
        IMAGE => Some(account.face_url.as_str().into()),
        _ => account.profile.get(tag).cloned(),
    }
}

pub(super) fn set(world: &Arc<World>, admin: &str, request: &Value) -> Done {
    let user = request.get("From_Account").and_then(Value::as_str).unwrap_or_default().to_owned();
    let essentials = json!({"user_id": user, "items": request.get("ProfileItem")});
    let answer = change(world, &user, request);
    if answer.is_ok() {
        let body = json!({"Operator_Account": admin, "From_Account": user,
            "EventTime": world.clock.now_ms(), "ProfileItem": request["ProfileItem"]});
        callbacks::tell(world, "Profile.CallbackPortraitSet", "RESTAPI", body);
    }
    Done::new(answer, essentials)
}

fn change(world: &World, user: &str, request: &Value) -> Result<Value, Refused> {
    let refuse = |code| Err(Refused::new(code));
    if user.is_empty() {
        return refuse(40002);
    }
    let Some(items) = request.get("ProfileItem").and_then(Value::as_array).filter(|items| !items.is_empty())
    else {
        return refuse(40001);
    };
    let mut im = world.im();
    let custom = im.config.custom_tags.clone();
    let mut changes = Vec::new();
    for item in items {
        let (Some(tag), Some(value)) = (item["Tag"].as_str(), item.get("Value")) else {
            return refuse(40001);
        };
        check(tag, value, &custom)?;
        changes.push((tag, value));
    }
    let Some(account) = im.accounts.get_mut(user) else { return refuse(40003) };
    for (tag, value) in changes {
        match tag {
            NICK => account.nick = value.as_str().unwrap_or_default().to_owned(),
            IMAGE => account.face_url = value.as_str().unwrap_or_default().to_owned(),
            _ => drop(account.profile.insert(tag.to_owned(), value.clone())),
        }
    }
    let mut answer = ok();
    answer["ErrorDisplay"] = "".into();
    Ok(answer)
}

pub(super) fn read(world: &World, request: &Value) -> Done {
    let texts = |name: &str| {
        let list = request.get(name).and_then(Value::as_array).filter(|list| !list.is_empty())?;
        list.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    };
    let (users, tags) = (texts("To_Account"), texts("TagList"));
    let essentials = json!({"user_ids": users});
    let (Some(users), Some(tags)) = (users, tags) else {
        return Done::new(Err(Refused::new(40002)), essentials);
    };
    if users.len() > MOST {
        return Done::new(Err(Refused::new(40001)), essentials);
    }
    let im = world.im();
    let mut failed = Vec::new();
    let item = |user: &String, failed: &mut Vec<String>| match im.accounts.get(user) {
        Some(account) => {
            let known = tags.iter().filter_map(|tag| Some(json!({"Tag": tag, "Value": get(account, tag)?})));
            json!({"To_Account": user, "ResultCode": 0, "ResultInfo": "",
                   "ProfileItem": known.collect::<Vec<_>>()})
        }
        None => {
            failed.push(user.clone());
            json!({"To_Account": user, "ResultCode": 40003, "ResultInfo": "Err_Profile_Comm_Account_Not_Exist"})
        }
    };
    let items: Vec<Value> = users.iter().map(|user| item(user, &mut failed)).collect();
    if failed.len() == users.len() {
        return Done::new(Err(Refused::new(40003)), essentials);
    }
    let mut answer = ok();
    answer["ErrorDisplay"] = "".into();
    answer["UserProfileItem"] = items.into();
    if !failed.is_empty() {
        answer["Fail_Account"] = json!(failed);
    }
    Done::new(Ok(answer), essentials)
}
