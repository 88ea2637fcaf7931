"""What takes rights away, as code for a Django shell beside the servers."""

# Who loses everything, and how. `user` is theirs, `group` one that only they are in.
TOLD = {
    "logged out": "browser.post('/logout/')",
    "logged out by mutation": "browser.post('/graphql/', LOGOUT, 'application/json')",
    "deactivated": "user.is_active = False; user.save()",
    "password changed": "user.set_password('other'); user.save()",
    "permission removed": "user.user_permissions.clear()",
    "permission taken from the user's side": "VIEW.user_set.remove(user)",
    "no superuser any more": "user.is_superuser = False; user.save()",
    "left the group": "user.groups.clear()",
    "removed from the group": "group.user_set.remove(user)",
    "group lost the permission": "group.permissions.clear()",
    "group deleted": "group.delete()",
    "groups deleted in bulk": "Group.objects.filter(name=who).delete()",
    "category closed to all but a group": "category['II'].viewers.add(insiders)",
    "token revoked": "revoke_token(token=token)",
    "token deleted": "token.delete()",
    "token's end brought forward": "token.expires_at = timezone.now(); token.save()",
    "user deleted": "user.delete()",
    "kicked": "call_command('kick', who, stdout=io.StringIO())",
}
# No signal tells of these: the servers find out by looking.
UNTOLD = {
    "session deleted by SQL": "sql('DELETE FROM django_session WHERE session_key = %s', session)",
    "deactivated by SQL": "sql('UPDATE auth_user SET is_active = false WHERE id = %s', user.pk)",
    "password changed by SQL": "sql('UPDATE auth_user SET password = 0 WHERE id = %s', user.pk)",
    "token deleted by SQL": "sql('DELETE FROM live_accesstoken WHERE id = %s', token.pk)",
    "token expired": "AccessToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())",
}
CHANGES = {**TOLD, **UNTOLD}
BY_GROUP = [name for name in CHANGES if "group" in name and "category" not in name]
BY_TOKEN = [name for name in CHANGES if "token" in name]
CLOSED_CATEGORY = "category closed to all but a group"

IMPORTS = """
import io, json
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from live.models import AccessToken
from live.identity.tokens import issue_token, revoke_token
from patients.models import DiseaseCategory, Patient
VIEW = Permission.objects.get(codename="view_patient")
LOGOUT = {"query": "mutation { logout { ok } }"}
category = {c.code: c for c in DiseaseCategory.objects.all()}
def sql(statement, value):
    connection.cursor().execute(statement, [value])
def register(name, *codes):
    for code in codes:
        Patient.objects.create(name=name, category=category[code])
def change(who, code, codes):
    # The events follow at once: nothing waits for the servers to have heard of the change.
    user = User.objects.get(username=who)
    group = user.groups.first()
    token = user.access_tokens.first()
    session = credentials[who]["session"]
    browser = Client(headers={"host": "127.0.0.1"})
    browser.cookies["sessionid"] = session
    exec(code, {**globals(), **locals()})
    register(who, *codes)
"""
PREAMBLE = IMPORTS + f"CHANGES, BY_GROUP, BY_TOKEN = {list(CHANGES)}, {BY_GROUP}, {BY_TOKEN}\n"
# Prints {user's name: their credentials} as JSON.
SET_UP = """
hashed = make_password("password")
def session_of(user):
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value
credentials = {}
for who in CHANGES:
    user = User.objects.create(username=who, password=hashed)
    if who in BY_GROUP:
        group = Group.objects.create(name=who)
        group.permissions.add(VIEW)
        user.groups.add(group)
    elif "superuser" in who:
        user.is_superuser = True
        user.save()
    else:
        user.user_permissions.add(VIEW)
    credentials[who] = {"session": session_of(user)}
    if who in BY_TOKEN:
        credentials[who]["token"] = issue_token(user=user, expires_in=None)[1]
insiders = Group.objects.create(name="insiders")
category["XIII"].viewers.add(insiders)
category["XIV"].viewers.add(insiders)
for who in ("witness", "keeper", "joiner"):
    user = User.objects.create(username=who, password=hashed)
    user.user_permissions.add(VIEW)
    credentials[who] = {"session": session_of(user)}
print(json.dumps(credentials))
"""
